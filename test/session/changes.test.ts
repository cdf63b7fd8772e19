import { randomBytes } from 'node:crypto'
import { RedisStore } from 'connect-redis-hash'
import fc from 'fast-check'
import { cachingStore } from '../support/near-cache.js'
import { connect, freshPrefix } from '../support/redis.js'

/** A save writes what a request has changed, and nothing else, however often it changes it and saves. */
const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const tagged = {
  stringify: (value: unknown) => (Object.is(value, -0) ? '-0' : JSON.stringify(value)),
  parse: (text: string) => (text === '-0' ? -0 : JSON.parse(text)),
}
const later = { stringify: tagged.stringify, parse: async (text: string) => tagged.parse(text) }

type Step =
  | { kind: 'put'; property: string; value: unknown }
  | { kind: 'inside'; property: string }
  | { kind: 'drop'; property: string }
  | { kind: 'save' }

const property = fc.constantFrom('a', 'b', 'c')
const value = fc.oneof(
  fc.constantFrom<unknown>('', 'a', 'b', '1', 0, -0, 1, true, false, null, 'ü\u2028"\\', 'x'.repeat(500)),
  // The content of these values can be changed in place.
  fc.constantFrom([1], [], { n: 1 }, { list: [{ n: 1 }] }).map((one) => structuredClone(one)),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), property, value }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('inside' as const), property }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), property }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('save' as const) }) },
)

const stores: Record<string, () => Promise<RedisStore> | RedisStore> = {
  'a store': () => new RedisStore({ client, prefix }),
  'a store with a near cache': () => cachingStore({ client, prefix }),
  'a store with encryption': () => new RedisStore({ client, prefix, encryption: { keys: [randomBytes(32)] } }),
  'a serializer that tells -0 from 0': () => new RedisStore({ client, prefix, serializer: tagged }),
  'a serializer that takes its time': () => new RedisStore({ client, prefix, serializer: later }),
}

let store: RedisStore
afterEach(() => store.close())
afterAll(() => client.quit())

describe.each(Object.entries(stores))('%s', (name, make) => {
  test('holds what the session holds after every save, and no save writes more than what differs', async () => {
    store = await make()
    const { stringify } = name.startsWith('a serializer') ? tagged : JSON
    let written = 0
    store.on('saved', ({ fields }) => {
      written += fields
    })
    const held = async () => (await store.read('s')) as Record<string, unknown>
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(property, value),
        fc.array(step, { minLength: 1, maxLength: 12 }),
        async (first, steps) => {
          await store.set('s', { cookie, ...first } as never)
          const session = (await store.get('s')) as unknown as Record<string, unknown>
          const texts = () => new Map(Object.entries(session).map(([p, v]) => [p, p === 'cookie' ? '' : stringify(v)]))
          let saved = texts()
          for (const { kind, ...rest } of [...steps, { kind: 'save' } as Step]) {
            const { property, value } = rest as { property: string; value: unknown }
            if (kind === 'put') session[property] = value
            if (kind === 'drop') delete session[property]
            if (kind === 'inside' && typeof session[property] === 'object')
              Object.assign(session[property] ?? {}, { n: 2 })
            if (kind !== 'save') continue
            written = 0
            await store.set('s', session as never)
            const now = texts()
            const names = new Set([...saved.keys(), ...now.keys()])
            expect(written).toBe([...names].filter((p) => saved.get(p) !== now.get(p)).length)
            expect(
              new Map(Object.entries(await held()).map(([p, v]) => [p, p === 'cookie' ? '' : stringify(v)])),
            ).toEqual(now)
            saved = now
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})

test.each([null, '', 0, false, 'R-17', { res: null }])(
  'data with a property "req" that is %j is saved like any other',
  async (req) => {
    await store.set('of-req', { cookie: {}, req, n: 1 } as never)
    const held = (await store.get('of-req')) as unknown as Record<string, unknown>
    await store.set('of-req', Object.assign(held, { n: 2 }) as never)
    expect(await store.read('of-req', ['n'])).toEqual({ n: 2 })
  },
)
