import { RedisStore } from 'connect-redis-hash'
import type { Request } from 'express'
import fc from 'fast-check'
import { cachingStore, warmed } from '../support/near-cache.js'
import { connect, freshPrefix } from '../support/redis.js'

/**
 * Random interleavings of concurrent requests on one session, against a sequential oracle. A request loads the session,
 * changes properties, may save in between, and ends; other requests do the same, log out, or log in anew under the same
 * id. After every step Redis must hold exactly what the oracle says.
 */
const client = connect()
const prefix = freshPrefix()
let store: RedisStore
const SID = 'the-session'

afterAll(() => client.quit())

type Bag = Record<string, unknown>
type Step =
  | { do: 'load' | 'save' | 'end' | 'reload'; request: number }
  | { do: 'put'; request: number; name: string; value: unknown }
  | { do: 'drop'; request: number; name: string }
  | { do: 'patch'; name: string; value: unknown }
  | { do: 'logout' | 'login' }

const request = fc.nat({ max: 2 })
const name = fc.constantFrom('a', 'b', '@c', '', 'é "quoted"')
const value = fc.oneof(fc.nat(5), fc.constantFrom<unknown>('', null, false, [1], { deep: { er: 1 } }, '∆'))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('load' as const), request }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), request, name, value }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('drop' as const), request, name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('save' as const), request }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), request }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const), request }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('patch' as const), name, value }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('logout' as const, 'login' as const) }) },
)

/** What a request knows: the oracle's session that it loaded, and what that held then. */
interface RequestModel {
  session: Request['session'] & Bag
  owner: object
  base: Map<string, string>
}

class Oracle {
  /** The one live session, or none. A login makes a new one: requests of the old one must not reach it. */
  live: { owner: object; fields: Map<string, string> } | undefined

  save(model: RequestModel): void {
    const now = fieldsOf(model.session)
    if (this.live?.owner === model.owner) {
      for (const [key, text] of now) if (model.base.get(key) !== text) this.live.fields.set(key, text)
      for (const key of model.base.keys()) if (!now.has(key)) this.live.fields.delete(key)
      model.base = now
    }
  }
}

function fieldsOf(session: Bag): Map<string, string> {
  const own = Object.entries(session).filter(([key]) => key !== 'cookie')
  return new Map(own.map(([key, item]) => [key, JSON.stringify(item)]))
}

async function load(oracle: Oracle): Promise<RequestModel | undefined> {
  const data = await store.get(SID)
  expect(data === null).toBe(oracle.live === undefined)
  if (data === null || oracle.live === undefined) return undefined
  const req = { sessionID: SID, sessionStore: store } as unknown as Request
  const session = store.createSession(req, data) as RequestModel['session']
  return { session, owner: oracle.live.owner, base: fieldsOf(session) }
}

const saved = (session: Request['session']) =>
  new Promise<void>((resolve, reject) => {
    session.save((err) => (err ? reject(err) : resolve()))
  })

async function run(steps: Step[]): Promise<void> {
  await store.destroy(SID)
  const oracle = new Oracle()
  const requests: (RequestModel | undefined)[] = []
  for (const one of steps) {
    const model = 'request' in one ? requests[one.request] : undefined
    switch (one.do) {
      case 'load':
        requests[one.request] = await load(oracle)
        break
      case 'reload':
        if (model) requests[one.request] = await load(oracle)
        break
      case 'put':
        if (model) (model.session as Bag)[one.name] = one.value
        break
      case 'drop':
        if (model) delete (model.session as Bag)[one.name]
        break
      case 'save':
      case 'end':
        if (!model) break
        await saved(model.session)
        oracle.save(model)
        if (one.do === 'end') await store.touch(SID, model.session)
        if (one.do === 'end') requests[one.request] = undefined
        break
      case 'patch':
        expect(await store.patch(SID, { [one.name]: one.value })).toBe(oracle.live !== undefined)
        oracle.live?.fields.set(one.name, JSON.stringify(one.value))
        break
      case 'logout':
        await store.destroy(SID)
        oracle.live = undefined
        break
      case 'login':
        // A login under an id in use replaces what was there, but is the same session: requests under way still save.
        await store.set(SID, { cookie: { originalMaxAge: null }, user: 'ada' })
        oracle.live = { owner: oracle.live?.owner ?? {}, fields: new Map([['user', '"ada"']]) }
        break
    }
    await compare(oracle)
  }
}

async function compare(oracle: Oracle): Promise<void> {
  const held = await store.read(SID)
  expect(held && fieldsOf(held)).toEqual(oracle.live?.fields ?? null)
  const ttl = await client.pttl(prefix + SID)
  expect(oracle.live ? ttl > 0 : ttl === -2).toBe(true)
}

describe.each([
  ['a store', async () => new RedisStore({ client, prefix, touchInterval: 0 })],
  ['a store with a near cache', async () => warmed(await cachingStore({ client, prefix, touchInterval: 0 }))],
])('%s', (_name, make) => {
  beforeAll(async () => {
    store = await make()
  })
  afterAll(async () => {
    await store.clear()
    if (store.cacheStats !== undefined) expect(store.cacheStats.hits).toBeGreaterThan(100)
    await store.close()
  })

  test('any interleaving of requests, logins and logouts leaves in Redis what a sequential oracle says', async () => {
    const login: Step = { do: 'login' }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => run([login, ...steps])),
      { numRuns: store.cacheStats === undefined ? 250 : 80 },
    )
  })

  test('parallel requests without any order: every property ends as one of its writers left it, none is lost', async () => {
    const writers = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(100)), {
      minLength: 2,
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(writers, async (writes) => {
        await store.set(SID, { cookie: { originalMaxAge: null } })
        await Promise.all(
          writes.map(async ([property, number]) => {
            const session = (await store.get(SID)) as unknown as Bag
            session[property] = number
            await store.set(SID, session as never)
          }),
        )
        const held = (await store.read(SID)) as Bag
        for (const [property] of writes) {
          const candidates = writes.filter(([other]) => other === property).map(([, number]) => number)
          expect(candidates).toContain(held[property])
        }
      }),
      { numRuns: 100 },
    )
  })
})
