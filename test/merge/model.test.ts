import { RedisStore } from 'connect-redis-hash'
import fc from 'fast-check'
import { cachingStore, warmed } from '../support/near-cache.js'
import { connect, freshPrefix } from '../support/redis.js'
import { type Bag, begin, held, open, save } from './requests.js'

/**
 * Random interleavings of requests that change one cart, one stock and one plain property, in two stores and often at
 * once, against an oracle that applies their changes one after the other.
 */
const client = connect()
const prefix = freshPrefix()
const SID = 'the-session'
const reader = new RedisStore({ client, prefix, timeout: 30_000 })
const REQUESTS = 4

afterAll(() => client.quit())

type Step =
  | { do: 'open'; request: number; store: number }
  | { do: 'put'; request: number; name: string; value: number }
  | { do: 'drop'; request: number; name: string }
  | { do: 'take'; request: number; count: number }
  | { do: 'save-plain'; request: number; value: number }
  | { do: 'save' | 'touch' | 'reload'; request: number }
  | { do: 'save-all' }
  | { do: 'patch'; value: number }

const request = fc.nat({ max: REQUESTS - 1 })
const name = fc.constantFrom('a', 'b', 'c', 'constructor', '')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('open' as const), request, store: fc.nat({ max: 1 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), request, name, value: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('drop' as const), request, name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const), request, count: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('save-plain' as const), request, value: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('save' as const), request }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('touch' as const, 'reload' as const), request }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('save-all' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('patch' as const), value: fc.nat(9) }) },
)

interface Content {
  cart: Record<string, number>
  stock: number
  n: number
}

interface Model {
  session: Bag
  /** What the request's changes have to be compared with. */
  seen: Content
}

class Oracle {
  live: Content = { cart: {}, stock: 100, n: 0 }

  save(model: Model): void {
    const [{ live }, { seen }, now] = [this, model, contentOf(model.session)]
    for (const key of new Set([...Object.keys(seen.cart), ...Object.keys(now.cart)])) {
      const [was, is] = [own(seen.cart, key), own(now.cart, key)]
      if (is === was) continue
      if (is !== undefined) live.cart[key] = is
      // An edit wins over a deletion.
      else if (own(live.cart, key) === was) delete live.cart[key]
    }
    live.stock += now.stock - seen.stock
    if (now.n !== seen.n) live.n = now.n
    model.seen = now
  }
}

const own = (bag: Record<string, number>, key: string) => (Object.hasOwn(bag, key) ? bag[key] : undefined)
const contentOf = ({ cart, stock, n }: Content): Content => structuredClone({ cart, stock, n })
const sorted = ({ cart, ...others }: Content) => JSON.stringify([Object.entries(cart).sort(), others])

async function run(stores: [RedisStore, RedisStore], steps: Step[]): Promise<void> {
  const [first] = stores
  const oracle = new Oracle()
  await first.destroy(SID)
  await begin(first, SID, oracle.live)
  const models: (Model & { store: RedisStore })[] = []
  const load = async (store: RedisStore) => {
    const session = await open(store, SID)
    // A near cache hears of what the other store has written a moment later.
    if (store.cacheStats === undefined) expect(sorted(contentOf(session))).toBe(sorted(oracle.live))
    return { store, session, seen: contentOf(session) }
  }
  for (let i = 0; i < REQUESTS; i++) models[i] = await load(stores[i % 2] as RedisStore)
  for (const one of steps) {
    const model = 'request' in one ? models[one.request] : undefined
    switch (one.do) {
      case 'open':
        models[one.request] = await load(stores[one.store] as RedisStore)
        break
      case 'reload':
        if (model) models[one.request] = await load(model.store)
        break
      case 'put':
        if (model) model.session.cart[one.name] = one.value
        break
      case 'drop':
        if (model) delete model.session.cart[one.name]
        break
      case 'take':
        if (model) model.session.stock -= one.count
        break
      case 'save-plain':
      case 'save':
        if (model && 'value' in one) model.session.n = one.value
        if (model) await save(model.session)
        if (model) oracle.save(model)
        break
      case 'touch':
        if (model) await model.store.touch(SID, model.session)
        break
      case 'save-all': {
        // In one process, the first to save is the first to be written.
        const together = models.filter(({ store }) => store === first)
        await Promise.all(together.map(({ session }) => save(session)))
        for (const each of together) oracle.save(each)
        break
      }
      case 'patch':
        await first.patch(SID, { n: one.value })
        oracle.live.n = one.value
        break
    }
    expect(sorted(await held(reader, SID))).toBe(sorted(oracle.live))
  }
}

const merge = {
  cart: true as const,
  stock: (base: Bag, theirs: Bag, mine: Bag) => theirs + mine - base,
}

describe.each([
  ['stores', async () => new RedisStore({ client, prefix, merge, touchInterval: 0, timeout: 30_000 })],
  [
    'stores with a near cache',
    async () => warmed(await cachingStore({ client, prefix, merge, touchInterval: 0, timeout: 30_000 })),
  ],
])('in two %s', (_name, make) => {
  let stores: [RedisStore, RedisStore]
  beforeAll(async () => {
    stores = [await make(), await make()]
  })
  afterAll(async () => {
    await stores[0].clear()
    for (const store of stores) await store.close()
  })

  test('any interleaving of changes and saves leaves in Redis what a sequential oracle says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 50 }), (steps) => run(stores, steps)),
      { numRuns: stores[0].cacheStats === undefined ? 150 : 50 },
    )
  }, 240_000)
})
