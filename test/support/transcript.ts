import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Tools, toolFunctions } from './tools.js'

/** One `$ command` of a console block, and the lines the page prints under it. */
export interface Step {
  command: string
  expected: string[]
}

export function steps(transcript: string): Step[] {
  const found: Step[] = []
  for (const line of transcript.trimEnd().split('\n')) {
    if (line.startsWith('$ ')) found.push({ command: line.slice(2), expected: [] })
    else if (line.startsWith('> ') && found.length > 0) found.at(-1)!.command += `\n${line.slice(2)}`
    else found.at(-1)?.expected.push(line)
  }
  return found
}

/** A line of the page as a pattern: `…` stands for what differs each time. */
function pattern(line: string): RegExp {
  return new RegExp(`^${line.split('…').map(quote).join('.*')}$`)
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/**
 * Runs all steps in one shell, as a reader would type them, and resolves what each printed.
 *
 * @param prelude shell code that puts this machine in the reader's place
 */
export async function typed(
  all: readonly Step[],
  cwd: string,
  prelude: string,
  tools: Tools = 'the tools of this machine',
): Promise<string[][]> {
  const mark = '=== next step ==='
  const script = [toolFunctions(tools), prelude, ...all.flatMap(({ command }) => [`echo '${mark}'`, command])].join(
    '\n',
  )
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd })
  const outputs = stdout.replaceAll('\r', '').split(`${mark}\n`).slice(1)
  return outputs.map((output) => output.split('\n').filter(Boolean))
}

/** Every step with what it printed, to be compared with `asShown`. */
export const asTyped = (all: readonly Step[], printed: string[][]) =>
  all.map(({ command }, i) => [command, ...(printed[i] ?? ['nothing ran'])])

/** Every step with what the page says it prints. */
export const asShown = (all: readonly Step[]) =>
  all.map(({ command, expected }) => [command, ...expected.map((line) => expect.stringMatching(pattern(line)))])
