// Tests applications that use the packed package, in a directory that contains nothing of this repository except its
// dependencies.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import { pack } from './pack.mjs'
import { capture, installed, root } from './run.mjs'

/** Formats of an application that is bundled into one file. */
const BUNDLES = /** @type {const} */ (['esm', 'cjs'])
const CONSUMERS = ['esm.mjs', 'cjs.cjs', 'bundled.mjs', 'consumer.ts', 'any-client.mjs', 'telemetry.mjs']
/**
 * Code that must compile, and code that must not (`@ts-expect-error`): one program each, as a declaration holds for a
 * whole program.
 */
const TYPE_TESTS = ['declared-session', 'undeclared-session']
/**
 * Projects without ioredis: the client libraries and other optional peers that they have, and what must compile there.
 * @type {Record<string, { clients: Record<string, string>, typeTests: string[] }>}
 */
const WITHOUT_IOREDIS = {
  'node-redis 6, jose': { clients: { redis: 'redis', jose: 'jose' }, typeTests: ['node-redis'] },
  'node-redis 5': { clients: { redis: 'redis5' }, typeTests: ['node-redis'] },
  iovalkey: { clients: { iovalkey: 'iovalkey' }, typeTests: ['iovalkey'] },
  'no client': { clients: {}, typeTests: [] },
}
/** What a project has that measures and traces. All others have none of it: importing the package must not need it. */
const TELEMETRY = { ioredis: 'ioredis', 'prom-client': 'prom-client', '@opentelemetry/api': '@opentelemetry/api' }
const COMPILERS = { 'TypeScript 7': 'typescript', 'TypeScript 5.4': 'typescript5.4' }
const DEPENDENCIES = [
  'express',
  'express-session',
  '@types/express',
  '@types/express-session',
  '@types/node',
  'bowser',
  'cookie-signature',
  'ipaddr.js',
  'lru-cache',
]
const TYPESCRIPT = {
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  commonjs: { module: 'commonjs', moduleResolution: 'bundler', esModuleInterop: true },
}

/**
 * Creates an empty project with the package unpacked and everything else linked.
 *
 * @param {string} project
 * @param {string} tarball
 * @param {Record<string, string>} clients client libraries (and others) by name, and the installed packages that serve
 *   as these
 */
async function createProject(project, tarball, clients) {
  const modules = join(project, 'node_modules')
  const own = join(modules, 'connect-redis-hash')
  mkdirSync(own, { recursive: true })
  const unpacked = await capture('tar', ['-xzf', tarball, '-C', own, '--strip-components=1'])
  if (unpacked.code !== 0) throw new Error(unpacked.output)
  for (const [name, target] of [...DEPENDENCIES.map((name) => [name, name]), ...Object.entries(clients)]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(installed(target), join(modules, name), 'dir')
  }
  for (const file of CONSUMERS) copyFileSync(source(file), join(project, file))
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n')
  for (const [name, options] of Object.entries(TYPESCRIPT)) {
    const compilerOptions = { ...options, target: 'es2022', types: ['node'], strict: true, noEmit: true }
    writeFileSync(join(project, `${name}.json`), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
  }
}

/**
 * Adds type tests to a project, each as an ES module and as CommonJS.
 * @param {string} project
 * @param {string[]} tests
 * @returns {string[]} the names of their configurations
 */
function addTypeTests(project, tests) {
  const compilerOptions = {
    ...TYPESCRIPT.nodenext,
    target: 'es2022',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
  }
  return tests.map((test) => {
    // Their endings say which half of the package they get.
    const files = [`${test}.mts`, `${test}.cts`]
    for (const file of files) copyFileSync(source(`${test}.ts`), join(project, file))
    writeFileSync(join(project, `${test}.json`), JSON.stringify({ compilerOptions, files }))
    return `${test}.json`
  })
}

/** @param {string} file of test/package */
function source(file) {
  return join(root, 'test', 'package', file)
}

/**
 * Bundles an application.
 *
 * @param {string} project
 * @param {typeof BUNDLES[number]} format
 * @returns {Promise<string>} name of the file
 */
async function bundle(project, format) {
  const file = format === 'esm' ? 'bundle.mjs' : 'bundle.cjs'
  // ES modules have no `require`, which esbuild leaves in the code of packages in CommonJS.
  const js =
    format === 'esm'
      ? "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)"
      : ''
  await build({
    entryPoints: [join(project, 'bundled.mjs')],
    bundle: true,
    platform: 'node',
    format,
    outfile: join(project, file),
    logLevel: 'silent',
    banner: { js },
  })
  return file
}

/**
 * @param {string[]} tests names of configurations
 * @returns {Record<string, string[]>} how each compiler compiles each
 */
function compiled(tests) {
  return Object.fromEntries(
    Object.entries(COMPILERS).flatMap(([name, compiler]) =>
      tests.map((test) => [`${name}, ${test}`, [installed(compiler, 'bin', 'tsc'), '-p', test]]),
    ),
  )
}

/**
 * @param {Record<string, string[]>} commands arguments for node, by name
 * @param {string} project
 * @param {string} title
 */
async function failuresOf(commands, project, title) {
  const failures = []
  for (const [name, args] of Object.entries(commands)) {
    const { code, output } = await capture(process.execPath, args, { cwd: project })
    if (code !== 0) failures.push(`${name} with ${title}:\n${output.trim()}`)
  }
  return failures
}

/**
 * @param {string} [tarball] the packed package; by default, packed from dist
 * @returns {Promise<string>} the failures; empty if there are none
 */
export async function checkConsumers(tarball) {
  const directory = mkdtempSync(join(tmpdir(), 'consumers-'))
  const failures = []
  try {
    const packed = tarball ?? (await pack(directory))
    for (const ioredis of ['ioredis', 'ioredis5', 'ioredis5-lowest']) {
      const project = join(directory, ioredis)
      await createProject(project, packed, { ioredis })
      /** @type {Record<string, string[]>} */
      const commands = {
        'ES module': ['esm.mjs'],
        CommonJS: ['cjs.cjs'],
        'the command': [join('node_modules', 'connect-redis-hash', 'dist', 'cjs', 'cli', 'main.js'), 'doctor', '--acl'],
        'TypeScript, nodenext': [installed('typescript', 'bin', 'tsc'), '-p', 'nodenext.json'],
        'TypeScript, commonjs': [installed('typescript', 'bin', 'tsc'), '-p', 'commonjs.json'],
      }
      for (const format of BUNDLES) commands[`bundled, ${format}`] = [await bundle(project, format)]
      // The types are the same whichever ioredis there is.
      const typeTests = ioredis === 'ioredis' ? addTypeTests(project, TYPE_TESTS) : []
      Object.assign(commands, compiled(typeTests))
      failures.push(...(await failuresOf(commands, project, ioredis)))
    }
    for (const [title, { clients, typeTests }] of Object.entries(WITHOUT_IOREDIS)) {
      const project = join(directory, title.replaceAll(/\W+/g, '-'))
      await createProject(project, packed, clients)
      const commands = {
        run: ['any-client.mjs', ...Object.keys(clients)],
        ...compiled(addTypeTests(project, typeTests)),
      }
      failures.push(...(await failuresOf(commands, project, title)))
    }
    const project = join(directory, 'telemetry')
    await createProject(project, packed, TELEMETRY)
    const commands = { run: ['telemetry.mjs'], ...compiled(addTypeTests(project, ['telemetry'])) }
    failures.push(...(await failuresOf(commands, project, 'prom-client and OpenTelemetry')))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return failures.join('\n\n')
}
