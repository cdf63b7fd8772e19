import { existsSync, rmSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { childScript } from '../support/child-script.js'
import type { Deployment } from '../support/deployments.js'
import { example, examplesOf } from '../support/markdown.js'
import { asShown, asTyped, steps, typed } from '../support/transcript.js'

export const PAGE = join('docs', 'runbook.md')
const MAIN = join(process.cwd(), childScript('src', 'cli', 'main.ts'))

/** The block that is for several servers, if there is one. */
export function blockFor(site: Deployment, name: string): string {
  const names = examplesOf(PAGE).map((block) => block.name)
  return site.functions !== undefined && names.includes(`${name}-each`) ? `${name}-each` : name
}

/**
 * Plays steps of the page as a reader types them, and compares what they print.
 *
 * @param dir where the reader is
 */
export async function playOn(
  site: Deployment,
  dir: string,
  name: string,
  env: Record<string, string> = {},
): Promise<void> {
  const block = blockFor(site, name)
  const functions = block.includes('-') && site.functions !== undefined ? example(PAGE, 'steps', site.functions) : ''
  // What the page says of Debian's Redis is elsewhere here.
  const text = (functions + example(PAGE, 'steps', block)).replaceAll(' /var/lib/redis', ` ${site.nodes[0]?.dir}`)
  const all = steps(text)
  const stopStarting = startOnDemand(site, dir)
  try {
    expect(asTyped(all, await typed(all, dir, preludeFor(site, env)))).toEqual(asShown(all))
  } finally {
    stopStarting()
  }
}

/** Puts this machine in the place of the reader's: its servers are processes of the test. */
function preludeFor(site: Deployment, env: Record<string, string>): string {
  return [
    ...Object.entries({ ...site.env, ...env }).map(([key, value]) => `export ${key}='${value}'`),
    ...site.nodes.map(({ port, dir }) => `DIR_${port}='${dir}'`),
    `npx() { shift; '${process.execPath}' '${MAIN}' "$@"; }`,
    'systemctl() { touch start; until [ -e started ]; do sleep 0.05; done; rm started; }',
    'ssh() { systemctl; }',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: variables of the shell
    'scp() { local port=${1%.rdb}; local dir=DIR_${port##*:}; cp "$1" "${!dir}/dump.rdb"; }',
  ].join('\n')
}

/** Starts the servers whenever a step asks for it by a file. */
function startOnDemand(site: Deployment, dir: string): () => void {
  const asked = join(dir, 'start')
  const watcher = watch(dir, () => {
    if (!existsSync(asked)) return
    rmSync(asked, { force: true })
    site.start().then(
      () => writeFileSync(join(dir, 'started'), ''),
      () => undefined,
    )
  })
  return () => watcher.close()
}
