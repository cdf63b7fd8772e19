import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { nameOfServer } from './redis-binary.mjs'
import { capture, root, run } from './run.mjs'

/**
 * The servers of docs/compatibility.md: the release of Debian that has each, and the package.
 *
 * @type {Record<string, { suite: string, program: 'redis-server' | 'valkey-server' }>}
 */
const SERVERS = {
  'redis-6.0': { suite: 'bullseye', program: 'redis-server' },
  'redis-7.0': { suite: 'bookworm', program: 'redis-server' },
  'redis-8.0': { suite: 'trixie', program: 'redis-server' },
  'valkey-8.1': { suite: 'trixie', program: 'valkey-server' },
  'valkey-9.1': { suite: 'sid', program: 'valkey-server' },
}

/** What a server needs to run beside this system's own libraries, by the names of packages. */
const NEEDED = /^(redis|valkey|lib|lua)/

/**
 * Gets one of the servers above into .cache/servers, and leaves the system as it is.
 *
 * @param {string} name e.g. `redis-6.0`
 * @returns {Promise<string>} absolute path of the program
 */
export async function ensureServer(name) {
  const server = SERVERS[name]
  if (server === undefined) throw new Error(`There is no server ${name}: use one of ${Object.keys(SERVERS).join(', ')}`)
  const directory = join(root, '.cache', 'servers', name)
  const program = join(directory, server.program)
  if (existsSync(program)) return program
  console.log(`Getting ${name} from Debian's ${server.suite}…`)
  const system = join(directory, 'root')
  rmSync(system, { recursive: true, force: true })
  mkdirSync(system, { recursive: true })
  await download(server, system)
  await unpack(system)
  rmSync(join(system, 'var'), { recursive: true })
  const found = await install(system, server.program, directory)
  if (found.startsWith(`${name}.`)) return program
  rmSync(directory, { recursive: true, force: true })
  throw new Error(`Debian's ${server.suite} has no ${name}, but ${found}`)
}

/**
 * Downloads the packages of a minimal system with this server; debootstrap checks their signatures.
 *
 * @param {{ suite: string, program: string }} server
 * @param {string} system
 */
async function download({ suite, program }, system) {
  const args = ['--variant=minbase', '--download-only', `--include=${program}`, suite, system]
  const isRoot = process.getuid?.() === 0
  const code = await (isRoot ? run('debootstrap', args) : run('sudo', ['debootstrap', ...args]))
  if (code !== 0)
    throw new Error(`debootstrap failed (exit code ${code}): is it installed, and debian-archive-keyring?`)
}

/** @param {string} system */
async function unpack(system) {
  const archives = join(system, 'var', 'cache', 'apt', 'archives')
  for (const file of readdirSync(archives)) {
    if (!NEEDED.test(file)) continue
    const { code, output } = await capture('dpkg-deb', ['--extract', join(archives, file), system])
    if (code !== 0) throw new Error(`${file} cannot be unpacked: ${output}`)
  }
}

/**
 * Writes a script that runs the program with the libraries that came with it.
 *
 * @param {string} system
 * @param {string} program
 * @param {string} directory
 * @returns {Promise<string>} name and version, e.g. `redis-6.0.16`
 */
async function install(system, program, directory) {
  const folders = ['lib', join('usr', 'lib')].flatMap((path) => foldersIn(join(system, path)))
  const loader = folders.flatMap(filesIn).find((file) => /\/ld-linux[^/]*\.so\.\d+$/.test(file))
  if (loader === undefined) throw new Error(`${program} has come without a C library`)
  const libraries = folders.filter((folder) => basename(folder) === basename(dirname(loader)))
  const script = join(directory, program)
  const command = [loader, '--library-path', libraries.join(':'), join(system, 'usr', 'bin', program)]
  writeFileSync(script, `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(' ')} "$@"\n`)
  chmodSync(script, 0o755)
  return (await nameOfServer(script)).toLowerCase().replace(' ', '-')
}

/** @param {string} path */
function filesIn(path) {
  return readdirSync(path).map((name) => join(path, name))
}

/** @param {string} path */
function foldersIn(path) {
  if (!existsSync(path)) return []
  const entries = readdirSync(path, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name))
}
