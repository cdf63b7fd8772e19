import { type Base, type Chunk, parse } from 'luaparse'
import { BOOKKEEPING } from '../../src/redis/scripts/bookkeeping.lua.js'
import { type ScriptReply, UnexpectedReply } from '../../src/redis/scripts/reply.js'
import type { Script } from '../../src/redis/scripts/script.js'
import { allScripts } from '../support/all-scripts.js'

/** The globals of Lua 5.1 that Redis makes available to scripts. */
const GIVEN = new Set([
  ...['KEYS', 'ARGV', 'redis', 'cjson', 'string', 'math', 'table'],
  ...['ipairs', 'pairs', 'tonumber', 'tostring', 'type', 'unpack'],
])

/** Whether the node is `ARGV[1]`, with a number in place of a name. */
function isNumbered(node: Base<string>): boolean {
  const { type, base, index } = node as typeof node & { base?: { name?: string }; index?: Base<string> }
  return type === 'IndexExpression' && base?.name === 'ARGV' && index?.type === 'NumericLiteral'
}

/** How many arguments get a name at the beginning of the script, or on a line of its own. */
function namedIn({ body }: Chunk): number {
  const statements = body as (Base<string> & { init?: Base<string>[] })[]
  return statements.flatMap(({ type, init }) => (type === 'LocalStatement' ? (init ?? []) : [])).filter(isNumbered)
    .length
}

/** Flags that a script spells out, other than where they get their names. */
function flagsIn(lua: string): string[] {
  const lines = lua.split('\n').filter((line) => !/^(?:--|local [A-Z, ]+ = )/.test(line))
  return lines.join('\n').match(/'\[?[EKXYZ]+\]?'/g) ?? []
}

function read(lua: string) {
  const helpers: string[] = []
  const called = new Set<string>()
  let numbered = 0
  const chunk: Chunk = parse(lua, {
    luaVersion: '5.1',
    scope: true,
    onCreateNode(node: Base<string>) {
      if (isNumbered(node)) numbered += 1
      const { type, identifier, base } = node as typeof node & {
        identifier?: { name: string }
        base?: { type: string; name: string }
      }
      if (type === 'FunctionDeclaration' && identifier) helpers.push(identifier.name)
      if (type === 'CallExpression' && base?.type === 'Identifier') called.add(base.name)
    },
  })
  const globals = (chunk as Chunk & { globals: { name: string }[] }).globals.map(({ name }) => name)
  const unnamed = numbered - namedIn(chunk)
  return { helpers, called, unnamed, flags: flagsIn(lua), strays: globals.filter((name) => !GIVEN.has(name)) }
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

test('every argument has a name where the script begins', async () => {
  for (const { name, lua } of await allScripts())
    expect({ name, unnamed: read(lua).unnamed }).toEqual({ name, unnamed: 0 })
})

test('every flag of a session is spelt out in one place', async () => {
  for (const { name, lua } of await allScripts()) expect({ name, flags: read(lua).flags }).toEqual({ name, flags: [] })
})

/** Values behind the code of a reply; a decoder that knows a code makes sense of it with one of these. */
const TAILS: readonly (readonly unknown[])[] = [
  [],
  ['h2mzk9w8qe 4fk 12kw0 3 MSL #2s', 1],
  ['h2mzk9w8qe 4fk 12kw0 3 MSL #2s', 1, 'state', '@i:user', 'u-1'],
  ['h2mzk9w8qe 4fk 12kw0 3 MSL #2s', 1, '1789000000000', 'state', '@i:user', 'u-1'],
  ['h2mzk9w8qe 4fk 12kw0 3 MSL #2s', '"dark"', null],
  [`1 mhk3o0x1 u u0 ${'s'.repeat(22)}`],
  ['expired mhk3o0x1 mhk3o0x1', 1, 'name', '"Ada"'],
  [12],
  ['12'],
  ['x3J', 'token'],
  [12, 'x3J'],
  [1, '', 'x3J', '12'],
]

test('every reply that a script spells out makes sense to its decoder, as numbers and as the text of numbers', async () => {
  for (const { name, lua, decode } of await allScripts()) {
    for (const [, code] of lua
      .replace(BOOKKEEPING, '')
      .matchAll(/(?:return|reply = |reply, \w+, s, all = )\s*\{(-?\d+)\b/g)) {
      const understood = TAILS.filter((tail) => isUnderstood(decode, [Number(code), ...tail]))
      expect({ name, code, isUnderstood: understood.length > 0 }).toEqual({ name, code, isUnderstood: true })
      const asTexts = understood.map((tail) => tail.map((part) => (typeof part === 'number' ? `${part}` : part)))
      for (const tail of asTexts)
        expect({ name, is: isUnderstood(decode, [Number(code), ...tail]) }).toEqual({ name, is: true })
    }
  }
})

test('a reply that no script gives makes sense to no decoder but one of a plain number', async () => {
  for (const { name, decode } of await allScripts()) {
    if (name === 'memory') continue
    for (const tail of TAILS) expect({ name, is: isUnderstood(decode, [99, ...tail]) }).toEqual({ name, is: false })
    for (const odd of [undefined, null, {}, [], new Error('no')]) {
      expect({ name, is: isUnderstood(decode, [99, odd, odd, odd, odd]) }).toEqual({ name, is: false })
    }
  }
})

/** Whether the decoder accepts the reply. Any error but UnexpectedReply fails the test. */
function isUnderstood(decode: Script['decode'], reply: ScriptReply): boolean {
  try {
    decode(reply)
    return true
  } catch (err) {
    expect(err).toBeInstanceOf(UnexpectedReply)
    return false
  }
}

test('a stray global, an unused helper, an argument without a name and a flag without one are found', () => {
  const found = read("local function lost() end\nx = ARGV[2]\nlocal y = ARGV[1]\nif y == 'Z' then return 1 end")
  expect(found.strays).toEqual(['x'])
  expect(found.unnamed).toBe(1)
  expect(found.flags).toEqual(["'Z'"])
  expect(found.helpers.filter((helper) => !found.called.has(helper))).toEqual(['lost'])
})
