import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Base, type Chunk, parse } from 'luaparse'
import type { Script } from '../../src/redis/scripts/script.js'

/** The globals of Lua 5.1 that Redis makes available to scripts. */
const GIVEN = new Set([
  ...['KEYS', 'ARGV', 'redis', 'cjson', 'string', 'math', 'table'],
  ...['ipairs', 'pairs', 'tonumber', 'tostring', 'type', 'unpack'],
])

const directory = join(__dirname, '..', '..', 'src', 'redis', 'scripts')

async function allScripts(): Promise<Script[]> {
  const files = readdirSync(directory).filter((file) => file.endsWith('.ts'))
  const modules = await Promise.all(files.map((file) => import(join(directory, file)) as Promise<object>))
  return modules.flatMap((module) => Object.values(module)).filter(isScript)
}

function isScript(value: unknown): value is Script {
  return typeof (value as Script | undefined)?.lua === 'string' && typeof (value as Script).sha === 'string'
}

function read(lua: string) {
  const helpers: string[] = []
  const called = new Set<string>()
  const chunk: Chunk = parse(lua, {
    luaVersion: '5.1',
    scope: true,
    onCreateNode(node: Base<string>) {
      const { type, identifier, base } = node as typeof node & {
        identifier?: { name: string }
        base?: { type: string; name: string }
      }
      if (type === 'FunctionDeclaration' && identifier) helpers.push(identifier.name)
      if (type === 'CallExpression' && base?.type === 'Identifier') called.add(base.name)
    },
  })
  const globals = (chunk as Chunk & { globals: { name: string }[] }).globals.map(({ name }) => name)
  return { helpers, called, strays: globals.filter((name) => !GIVEN.has(name)) }
}

test('there are scripts, each under a name of its own', async () => {
  const names = (await allScripts()).map(({ name }) => name)
  expect(names.length).toBeGreaterThan(15)
  expect(new Set(names).size).toBe(names.length)
})

test('no script reads or writes a global that Redis does not give it', async () => {
  for (const { name, lua } of await allScripts())
    expect({ name, strays: read(lua).strays }).toEqual({ name, strays: [] })
})

test('every helper is called by some script that carries it', async () => {
  const helpers = new Set<string>()
  const called = new Set<string>()
  for (const { lua } of await allScripts()) {
    const found = read(lua)
    for (const helper of found.helpers) helpers.add(helper)
    for (const name of found.called) called.add(name)
  }
  expect([...helpers].filter((helper) => !called.has(helper))).toEqual([])
})

test('a stray global and an unused helper are found', () => {
  const found = read("local function lost() end\nx = 1\nreturn redis.call('GET', KEYS[1])")
  expect(found.strays).toEqual(['x'])
  expect(found.helpers.filter((helper) => !found.called.has(helper))).toEqual(['lost'])
})
