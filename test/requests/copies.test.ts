import { RedisStore } from 'connect-redis-hash'
import { connect, freshPrefix } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

class HostSession {
  constructor(data: object) {
    Object.assign(this, data)
  }
}

/** How hosts turn what `get` gave into an object of their own. */
const COPIES: Record<string, (loaded: Bag) => Bag> = {
  spread: (loaded) => ({ ...loaded }),
  'Object.assign': (loaded) => Object.assign(Object.create(null), loaded),
  structuredClone: (loaded) => structuredClone(loaded),
  JSON: (loaded) => JSON.parse(JSON.stringify(loaded)),
  'a class of its own': (loaded) => new HostSession(structuredClone(loaded)),
  'a cookie of its own': ({ cookie, ...loaded }) => ({ ...loaded, cookie: { toJSON: () => cookie } }),
}

const client = connect()
afterAll(() => client.quit())

const cookie = () => ({ originalMaxAge: null, expires: null, httpOnly: true, path: '/' })

describe.each(Object.entries(COPIES))('a host that saves copies made by %s', (_name, copy) => {
  const store = new RedisStore({ client, prefix: freshPrefix() })
  const warnings: string[] = []
  store.on('warning', ({ code }) => warnings.push(code))
  let sid = ''

  beforeEach(async () => {
    sid = `session-${Math.random()}`
    await store.set(sid, { cookie: cookie(), user: 'ada', visits: 1 } as Bag)
  })
  afterAll(() => {
    expect(warnings).toEqual([])
  })
  const load = async () => copy(await store.get(sid))
  const held = () => store.read(sid, ['user', 'visits', 'one', 'two'])

  test.each([
    ['that changes nothing', {}],
    ['that adds a property', { one: 1 }],
    ['that changes everything', { user: 'bob', visits: 2 }],
  ])('brings no session back that has ended, in a request %s', async (_what, changes) => {
    const slow = await load()
    await store.destroy(sid)
    await store.set(sid, Object.assign(slow, changes))
    expect(await store.exists(sid)).toBe(false)
  })

  test('brings none back either if it is loaded as absent meanwhile', async () => {
    const slow = await load()
    await store.destroy(sid)
    expect(await store.get(sid)).toBeNull()
    await store.set(sid, Object.assign(slow, { one: 1 }))
    expect(await store.exists(sid)).toBe(false)
  })

  test('loses no update of two requests at once', async () => {
    const [first, second] = [await load(), await load()]
    await store.set(sid, Object.assign(first, { one: 1 }))
    await store.set(sid, Object.assign(second, { two: 2 }))
    expect(await held()).toEqual({ user: 'ada', visits: 1, one: 1, two: 2 })
  })

  test('removes what a request has removed, and what it removes later of what it has added', async () => {
    const copied = await load()
    delete copied.visits
    await store.set(sid, Object.assign(copied, { one: 1 }))
    expect(await held()).toEqual({ user: 'ada', one: 1 })
    delete copied.one
    await store.set(sid, copied)
    expect(await held()).toEqual({ user: 'ada' })
  })

  test('writes nothing where nothing has changed', async () => {
    await store.set(sid, await load())
    const { saved } = store.counters
    await store.set(sid, await load())
    expect(store.counters.saved).toBe(saved)
  })
})

describe('copies of different states', () => {
  const store = new RedisStore({ client, prefix: freshPrefix() })
  const warnings: string[] = []
  store.on('warning', ({ code }) => warnings.push(code))
  const clone = async () => structuredClone((await store.get('sid')) as Bag)

  test('undo no change of what all of them have loaded alike; where they differ, the last one wins, with one warning', async () => {
    await store.set('sid', { cookie: cookie(), user: 'ada', visits: 1, theme: 'light' } as Bag)
    const slow = await clone()
    await store.patch('sid', { visits: 2 })
    const next = await clone()
    await store.patch('sid', { theme: 'dark' })
    for (const copy of [next, slow]) await store.set('sid', { ...copy, seen: copy.visits })
    expect(await store.read('sid', ['user', 'visits', 'theme', 'seen'])).toEqual({
      user: 'ada',
      visits: 1,
      theme: 'dark',
      seen: 1,
    })
    expect(warnings).toEqual(['saves-copies'])
  })

  test('are told apart by an object that a copy still holds', async () => {
    const before = [...warnings]
    await store.set('known', { cookie: cookie(), visits: 1, theme: 'light' } as Bag)
    const slow = { ...((await store.get('known')) as Bag) }
    await store.patch('known', { visits: 2 })
    const next = { ...((await store.get('known')) as Bag) }
    await store.set('known', { ...next, theme: 'dark' } as Bag)
    await store.set('known', { ...slow, seen: slow.visits } as Bag)
    expect(await store.read('known', ['visits', 'theme', 'seen'])).toEqual({ visits: 2, theme: 'dark', seen: 1 })
    expect(warnings).toEqual(before)
  })

  test('are saved whole where one load was saved several times, and bring nothing back', async () => {
    await store.set('again', { cookie: cookie(), user: 'ada' } as Bag)
    const loaded = (await store.get('again')) as Bag
    for (const visits of [1, 2]) await store.set('again', { ...structuredClone(loaded), visits } as Bag)
    expect(await store.read('again', ['user', 'visits'])).toEqual({ user: 'ada', visits: 2 })
    await store.destroy('again')
    await store.set('again', { ...structuredClone(loaded), visits: 3 } as Bag)
    expect(await store.exists('again')).toBe(false)
  })
})

describe('data that is no copy', () => {
  const store = new RedisStore({ client, prefix: freshPrefix() })
  let sid = ''
  beforeEach(() => {
    sid = `session-${Math.random()}`
  })

  test('makes a new session under an id that was loaded and ended', async () => {
    await store.set(sid, { cookie: cookie(), user: 'ada' } as Bag)
    await store.get(sid)
    await store.destroy(sid)
    await store.set(sid, { cookie: { originalMaxAge: null }, user: 'bob' } as Bag)
    expect(await store.read(sid, ['user'])).toEqual({ user: 'bob' })
  })

  test('makes one also with the very cookie that was made by hand before', async () => {
    for (const user of ['ada', 'bob']) {
      await store.set(sid, { cookie: { originalMaxAge: null }, user } as Bag)
      expect(await store.get(sid)).toMatchObject({ user })
      await store.destroy(sid)
    }
    await store.set(sid, { cookie: { originalMaxAge: null }, user: 'bob' } as Bag)
    expect(await store.exists(sid)).toBe(true)
  })

  test('may be set again and again, whoever has loaded and ended it meanwhile', async () => {
    const data = { cookie: cookie(), user: 'ada' } as Bag
    for (let round = 0; round < 3; round++) {
      await store.set(sid, data)
      expect(await store.get(sid)).toMatchObject({ user: 'ada' })
      await store.destroy(sid)
    }
    await store.set(sid, { ...data, user: 'bob' })
    expect(await store.read(sid, ['user'])).toEqual({ user: 'bob' })
  })

  test('makes a new session where nobody is left that had the one before', async () => {
    await store.set(sid, { cookie: cookie(), user: 'ada' } as Bag)
    await store.set(sid, { ...structuredClone(await store.get(sid)), seen: true } as Bag)
    await store.destroy(sid)
    expect(await store.get(sid)).toBeNull()
    await store.set(sid, { cookie: cookie(), user: 'ada' } as Bag)
    expect(await store.exists(sid)).toBe(true)
  })

  test.each([
    ['of a host', cookie],
    ['by hand', () => ({ expires: 4_000_000_000_000, maxAge: 60_000 })],
  ])(
    'without properties, with a cookie %s, only says that there is something, and may at any time',
    async (_what, own) => {
      const mark = () => store.set(sid, { cookie: own() } as Bag)
      for (let round = 0; round < 3; round++) {
        await mark()
        expect(await store.get(sid)).not.toBeNull()
        await store.destroy(sid)
      }
      await mark()
      expect(await store.exists(sid)).toBe(true)
    },
  )
})

describe.each(Object.entries(COPIES))('with the merge option, a host that saves copies made by %s', (_name, copy) => {
  const store = new RedisStore({ client, prefix: freshPrefix(), merge: ['cart'] as never, timeout: 30_000 })
  // A clone says nothing of which load it was made from, where two loads differ.
  store.on('warning', () => undefined)
  const load = async () => copy(await store.get('sid'))
  const cart = async () => ((await store.read('sid')) as Bag).cart
  beforeEach(() => store.set('sid', { cookie: cookie(), cart: { bread: 1, milk: 1 } } as Bag))

  test('keeps what two requests have put into one cart, and what they save again takes nothing away', async () => {
    const requests = [await load(), await load()]
    for (const [i, one] of requests.entries()) {
      one.cart[`thing-${i}`] = i
      await store.set('sid', one)
      await store.set('sid', one)
    }
    expect(await cart()).toEqual({ bread: 1, milk: 1, 'thing-0': 0, 'thing-1': 1 })
    delete requests[1].cart.bread
    await store.set('sid', requests[1])
    expect(await cart()).toEqual({ milk: 1, 'thing-0': 0, 'thing-1': 1 })
  })

  test('keeps it also where one request has loaded what another one has written since a third one has loaded', async () => {
    const early = await load()
    const between = await load()
    between.cart.apples = 1
    await store.set('sid', between)
    const late = await load()
    late.cart.pears = 1
    early.cart.plums = 1
    await store.set('sid', early)
    expect(await cart()).toEqual({ bread: 1, milk: 1, apples: 1, plums: 1 })
    await store.set('sid', late)
    expect(await cart()).toEqual({ bread: 1, milk: 1, apples: 1, pears: 1, plums: 1 })
  })
})
