import { RedisStore } from 'connect-redis-hash'
import type { Request } from 'express'
import type session from 'express-session'
import fc from 'fast-check'
import { anyText } from '../support/any-text.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { bookkeeping } from '../support/raw-session.js'

const HASHES = 10_000
const BATCH = 1000

type Fields = ReadonlyMap<string, string>

let redis: PrivateRedis
let store: RedisStore
let corrupt: unknown[]

beforeAll(async () => {
  redis = await privateRedis()
  store = new RedisStore({ client: redis.connect(), timeout: 10_000 })
  store.on('corrupt', (event) => corrupt.push(event))
  await store.ping()
})
afterAll(() => redis.stop())
beforeEach(async () => {
  corrupt = []
  await redis.takeCalls()
})

const whole: Fields = new Map([
  ['@', bookkeeping({ flags: 'MSL' })],
  ['@cookie', '{"domain":"example.org"}'],
  ['user', '"u-1"'],
  ['role', '"customer"'],
  ['restricted', 'true'],
  ['cart', '{"items":[{"sku":"a","n":2}],"total":19.5}'],
  ['@@note', '"in an escaped field"'],
])

const word = fc.oneof(
  fc.stringMatching(/^[0-9a-z]{1,14}$/),
  fc.constantFrom('', '-1', 'NaN', 'Infinity', '1.5', '1e5', '0x10', 'zzzzzzzzzzzz', '99999999999999999999', 'A', 'é'),
)
const meta = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '))
const json = fc.json({ maxDepth: 2 })
const attribute = fc.constantFrom(
  'originalMaxAge',
  'maxAge',
  'expires',
  'path',
  'sameSite',
  'data',
  '_expires',
  'toJSON',
)
const cookie = fc.oneof(
  json,
  fc
    .dictionary(attribute, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 })
    .map((attributes) => JSON.stringify(attributes)),
)
const text = fc.oneof(anyText({ maxLength: 40 }), fc.string({ maxLength: 40 }), json, meta)
const name = fc.oneof(
  fc.constantFrom(...whole.keys()),
  fc.constantFrom('@cookie.1', '@@', '@"x"', '__proto__', 'cookie', '@x'),
  fc.string({ maxLength: 12 }),
)
const change = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), name, text }),
  fc.record({ kind: fc.constant('drop' as const), name }),
  fc.record({ kind: fc.constant('cut' as const), name, at: fc.nat(50) }),
  fc.record({ kind: fc.constant('flip' as const), name, at: fc.nat(50), bit: fc.nat(6) }),
  fc.record({ kind: fc.constant('put' as const), name: fc.constant('@'), text: meta }),
  fc.record({ kind: fc.constant('put' as const), name: fc.constant('@cookie'), text: cookie }),
)
const fuzzed = fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => changes.reduce(apply, whole))

interface Change {
  kind: 'put' | 'drop' | 'cut' | 'flip'
  name: string
  text?: string
  at?: number
  bit?: number
}

function apply(fields: Fields, { kind, name, text = '', at = 0, bit = 0 }: Change): Fields {
  const changed = new Map(fields)
  const before = fields.get(name) ?? '?'
  const place = at % before.length
  const flipped = String.fromCharCode(before.charCodeAt(place) ^ (1 << bit))
  if (kind === 'drop') changed.delete(name)
  if (kind === 'put') changed.set(name, text)
  if (kind === 'cut') changed.set(name, before.slice(0, place))
  // Redis holds UTF-8, which has no half characters.
  if (kind === 'flip') changed.set(name, (before.slice(0, place) + flipped + before.slice(place + 1)).toWellFormed())
  return changed
}

/**
 * What the fields mean, read in another way than the store's: every property, or undefined if a single one makes no
 * sense.
 */
function meaningOf(fields: Fields): Record<string, unknown> | undefined {
  if (!/^[0-9a-z]{1,12}( [0-9a-z]{1,10}){3}( [A-Za-z]{1,16})?( #[0-9a-z]{1,10})?$/.test(fields.get('@') ?? ''))
    return undefined
  const properties: [string, unknown][] = []
  for (const [field, text] of fields) {
    const property = propertyOf(field)
    if (typeof property !== 'string' || property === '__proto__' || property === 'cookie') continue
    // In a string, a raw control character is taken as it is.
    const value = parsed(/^"[^"\\]*"$/.test(text) ? JSON.stringify(text.slice(1, -1)) : text)
    if (value === undefined) return undefined
    properties.push([property, value])
  }
  return Object.fromEntries(properties)
}

function propertyOf(field: string): unknown {
  if (field.startsWith('@"')) return parsed(field.slice(1))
  return /^@(?!@)/.test(field) ? undefined : field.replace(/^@@/, '@')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isAboutCookie = (fields: Fields) =>
  [...new Set([...fields.keys(), ...whole.keys()])].some(
    (field) => /^@(cookie.*)?$/.test(field) && fields.get(field) !== whole.get(field),
  )

/** Whether flags say that it is no session, or none any more; then no event has to tell of it. */
const isNone = (fields: Fields) =>
  meaningOf(fields) !== undefined && / \w*[EKXY]\w*( #\w+)?$/.test(fields.get('@') ?? '')

/** What express-session does with a session between loading and saving it, outside of any try. */
function useAsRequestDoes(loaded: object): void {
  const live = store.createSession({ sessionID: 'x' } as Request, loaded as session.SessionData)
  live.touch()
  JSON.stringify(live)
}

test(`${HASHES} damaged hashes: each loads whole or not at all, nothing throws, nothing is written`, async () => {
  // Jest's own random seed would make a failure unrepeatable.
  const hashes = fc.sample(fuzzed, { numRuns: HASHES, seed: 20_250_336 })
  let wholeOnes = 0
  for (let at = 0; at < HASHES; at += BATCH) {
    const batch = hashes.slice(at, at + BATCH)
    const writing = redis.admin.pipeline().flushall()
    batch.forEach((fields, i) => {
      if (fields.size > 0) writing.hset(`sess:${i}`, fields)
    })
    await writing.exec()
    await redis.takeCalls()
    corrupt = []

    const results = await Promise.all(batch.map((_fields, i) => store.get(String(i))))

    expect(Object.keys(await redis.takeCalls())).toEqual(['hgetall'])
    const unread = batch.filter((fields, i) => results[i] === null && !isNone(fields))
    expect(corrupt).toHaveLength(unread.length)
    results.forEach((result, i) => {
      const fields = batch[i] as Fields
      const meaning = meaningOf(fields)
      if (result === null) {
        if (meaning !== undefined && !isAboutCookie(fields) && !isNone(fields))
          throw new Error(`not loaded: ${JSON.stringify([...fields])}`)
        return
      }
      wholeOnes += 1
      const { cookie: _cookie, ...properties } = result as unknown as Record<string, unknown>
      expect({ fields, properties }).toEqual({ fields, properties: meaning })
      useAsRequestDoes(result)
    })
  }
  // Neither kind may be so rare that the test shows nothing.
  expect(wholeOnes).toBeGreaterThan(HASHES / 10)
  expect(wholeOnes).toBeLessThan((HASHES * 9) / 10)
})
