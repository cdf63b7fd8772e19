import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture, npm } from '../../scripts/run.mjs'

/**
 * Runtimes that npm can install as packages. Node's own packages are one for each platform.
 * @type {{ name: string, node?: number, spec: string, path: string[], args: string[] }[]}
 */
const RUNTIMES = [
  ...[22, 24].map((node) => ({
    name: `Node ${node}`,
    node,
    spec: `node-${process.platform}-${process.arch}@${node}`,
    path: ['node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node'],
    args: [],
  })),
  { name: 'Bun', spec: 'bun@1', path: ['node_modules', 'bun', 'bin', 'bun.exe'], args: [] },
  { name: 'Deno', spec: 'deno@2', path: ['node_modules', 'deno', 'deno'], args: ['run', '--allow-all'] },
]

/**
 * Finds this Node, and installs the others where npm can.
 * @param {string} place the folder to install them in
 */
export async function findRuntimes(place) {
  const node = Number(process.versions.node.split('.')[0])
  const found = [{ name: `Node ${node}`, node, isCurrent: true, program: process.execPath, args: [] }]
  for (const runtime of RUNTIMES) {
    if (runtime.node === node) continue
    const directory = join(place, runtime.name)
    const program = join(directory, ...runtime.path)
    const missing = existsSync(program) ? undefined : await install(directory, runtime.spec)
    found.push({ ...runtime, isCurrent: false, program, missing: existsSync(program) ? undefined : missing })
  }
  return found
}

/** @returns {Promise<string>} why the program is not there, if it is not */
async function install(directory, spec) {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n')
  const { program, args } = npm()
  const options = ['--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error']
  const { code, output } = await capture(program, [...args, 'install', ...options, spec], { cwd: directory })
  return code === 0
    ? `${spec} has no program for this machine`
    : `npm cannot install ${spec}: ${output.trim().split('\n')[0]}`
}
