import { randomBytes } from 'node:crypto'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import superjson from 'superjson'
import { type CommandLog, watchCommands } from '../support/commands.js'
import { cachingStore, warmed } from '../support/near-cache.js'
import { connect, freshPrefix } from '../support/redis.js'
import { type Bag, begin, conflictsOf, held, open, save } from './requests.js'

const client = connect()
const prefix = freshPrefix()
const stores: RedisStore[] = []
let log: CommandLog

const asyncJson = { stringify: JSON.stringify, parse: async (text: string) => JSON.parse(text) as unknown }

beforeAll(async () => {
  log = await watchCommands(client, prefix)
  // This makes Redis know the scripts: one that it does not know yet is sent a second time.
  const store = storeOf({ merge: ['cart'] })
  await begin(store, 'warm', { cart: {} })
  await twice(store, 'warm', (one, other) => {
    one.cart.a = 1
    other.cart.b = 1
  })
})
afterAll(async () => {
  log.stop()
  await stores[0]?.clear()
  for (const store of stores) await store.close()
  await client.quit()
})

function storeOf(options: Partial<RedisStoreOptions>): RedisStore {
  const store = new RedisStore({ client, prefix, timeout: 30_000, ...options } as RedisStoreOptions)
  stores.push(store)
  return store
}

/** Returns the commands on sessions since the last call. Stores with an index or `onEnd` also send others. */
async function commandsOf(): Promise<string[][]> {
  return (await log.take()).filter((command) => !command.some((word) => word.startsWith('idx:')))
}

/** Two requests load a session, change it, and save one after the other. */
async function twice(store: RedisStore, sid: string, change: (one: Bag, other: Bag) => void): Promise<[Bag, Bag]> {
  const requests: [Bag, Bag] = [await open(store, sid), await open(store, sid)]
  change(...requests)
  for (const one of requests) await save(one)
  return requests
}

const addBoth = (one: Bag, other: Bag) => {
  one.cart.apples = 1
  other.cart.pears = 2
}

describe.each<[name: string, options: Partial<RedisStoreOptions>]>([
  ['a list of properties', { merge: ['cart'] }],
  ['true', { merge: true }],
  ['an object', { merge: { cart: true } }],
  ['encryption', { merge: ['cart'], encryption: { keys: [randomBytes(32)] } }],
  ['hashIds', { merge: ['cart'], hashIds: 'a secret' }],
  ['an asynchronous serializer', { merge: ['cart'], serializer: asyncJson }],
  ['superjson', { merge: ['cart'], serializer: superjson }],
  ['onEnd', { merge: ['cart'], onEnd: () => undefined }],
  ['touchInterval 0', { merge: ['cart'], touchInterval: 0 }],
  ['sessions that stay strings', { merge: ['cart'], convert: 'never' }],
  ['strings and an index', { merge: true, convert: 'never', indexes: { user: (s) => s.userId as string } }],
  ['an index', { merge: true, indexes: { user: (s) => s.userId as string } }],
])('with %s', (name, options) => {
  const sid = `sid-${name.replaceAll(' ', '-')}`
  let store: RedisStore
  beforeAll(() => {
    store = storeOf(options)
  })
  beforeEach(() => begin(store, sid, { userId: 'ada', cart: { bread: 1 }, n: 0 }))

  test('what two requests have put into one cart both counts, and is no conflict', async () => {
    const told = conflictsOf(store)
    await twice(store, sid, addBoth)
    expect((await held(store, sid)).cart).toEqual({ bread: 1, apples: 1, pears: 2 })
    expect(told).toEqual([])
  })

  test('the same leaf changed to two values: the last one, and a conflict names its path, no value and no id', async () => {
    const told = conflictsOf(store)
    await twice(store, sid, (one, other) => {
      one.cart.bread = 17
      other.cart.bread = 18
    })
    expect((await held(store, sid)).cart).toEqual({ bread: 18 })
    expect(told).toEqual([{ handle: expect.any(String), properties: ['cart'], path: ['cart', 'bread'] }])
    expect(JSON.stringify(told)).not.toMatch(/1[78]|sid-/)
  })

  test('20 requests at once each add one thing: all are there, in at most 60 scripts', async () => {
    const requests = await Promise.all(Array.from({ length: 20 }, () => open(store, sid)))
    await log.take()
    await Promise.all(
      requests.map((one, i) => {
        one.cart[`thing-${i}`] = i
        return save(one)
      }),
    )
    const scripts = (await commandsOf()).filter(([command]) => /^eval(sha)?$/i.test(command ?? ''))
    expect(Object.keys((await held(store, sid)).cart)).toHaveLength(21)
    expect(scripts.length).toBeLessThanOrEqual(60)
    // The first save is not refused, and each other one knows from the one before what to merge with. A string is
    // written as a whole, so that each of them has to read what the one before has written.
    expect(scripts.length).toBeLessThanOrEqual(options.convert === 'never' ? 39 : 21)
  })

  test('a request that saves again after a merge takes nothing away, and its next change counts', async () => {
    const [, other] = await twice(store, sid, addBoth)
    await save(other)
    expect((await held(store, sid)).cart).toEqual({ bread: 1, apples: 1, pears: 2 })
    other.cart.plums = 3
    delete other.cart.bread
    await save(other)
    await save(other)
    expect((await held(store, sid)).cart).toEqual({ apples: 1, pears: 2, plums: 3 })
  })

  test('a request that reloads after a merge goes on with all of it', async () => {
    const [, other] = await twice(store, sid, addBoth)
    await new Promise<void>((resolve) => void other.reload(() => resolve()))
    const again = other.req.session
    expect(again.cart).toEqual({ bread: 1, apples: 1, pears: 2 })
    delete again.cart.apples
    await save(again)
    expect((await held(store, sid)).cart).toEqual({ bread: 1, pears: 2 })
  })
})

describe('the uncontended save', () => {
  const digest = /^[0-9a-f]{40}$/
  /** A save as Redis gets it, and the bytes of its arguments. */
  const savedWith = async (options: Partial<RedisStoreOptions>) => {
    const store = storeOf({ touchInterval: 3600, ...options })
    await store.destroy('uncontended')
    await begin(store, 'uncontended', { cart: { bread: 1 }, n: 0 })
    const one = await open(store, 'uncontended')
    one.cart.apples = 1
    await log.take()
    await save(one)
    const commands = await commandsOf()
    return { commands, bytes: Buffer.byteLength(commands.flat().join('\r\n')) }
  }

  test('is one command, with as many bytes as without the option, which differ in one digit', async () => {
    const plain = await savedWith({})
    const merging = await savedWith({ merge: ['cart'] })
    expect(merging.commands).toHaveLength(1)
    expect(merging.bytes).toBe(plain.bytes)
    const [one, other] = [plain.commands[0] as string[], merging.commands[0] as string[]]
    expect(one[1]).toMatch(digest)
    const differing = other.flatMap((word, i) => (word === one[i] ? [] : [[one[i], word]]))
    // The stamp of creation differs, because it is another session.
    expect(differing.filter(([word]) => word?.length === 1)).toEqual([['1', '2']])
    expect(differing.length).toBeLessThanOrEqual(2)
  })

  test('of a property that is not merged is the same as without the option', async () => {
    const plain = await savedWith({})
    const merging = await savedWith({ merge: ['basket'] })
    // The stamp of creation, word 5, differs, because it is another session.
    expect(merging.commands[0]?.toSpliced(4, 1)).toEqual(plain.commands[0]?.toSpliced(4, 1))
  })
})

describe('a save that others were faster than', () => {
  test('writes and refreshes nothing before it has been merged', async () => {
    const store = storeOf({
      merge: {
        cart: () => {
          throw new Error('stop')
        },
      },
    })
    const sid = 'refused'
    await begin(store, sid, { cart: {} })
    const one = await open(store, sid)
    const other = await open(store, sid)
    other.cart.b = 1
    await save(other)
    await client.pexpire(prefix + sid, 5_000)
    const before = await client.hgetall(prefix + sid)
    one.cart.a = 1
    one.cookie.maxAge = 300_000
    await expect(save(one)).rejects.toThrow('stop')
    expect(await client.hgetall(prefix + sid)).toEqual(before)
    expect(await client.pttl(prefix + sid)).toBeLessThanOrEqual(5_000)
  })

  test('of another property costs one more command, and calls no merge function', async () => {
    let calls = 0
    const merge = {
      cart: (_base: Bag, _theirs: Bag, mine: Bag) => {
        calls += 1
        return mine
      },
    }
    const store = storeOf({ merge })
    await begin(store, 'other', { cart: {}, n: 0 })
    const requests = [await open(store, 'other'), await open(store, 'other')]
    requests[0].n = 1
    requests[1].cart.a = 1
    await log.take()
    for (const one of requests) await save(one)
    expect(await commandsOf()).toHaveLength(3)
    expect(calls).toBe(0)
    expect(await held(store, 'other')).toEqual({ cart: { a: 1 }, n: 1 })
  })

  test('a property that is not merged is still last come, last served, with its conflict', async () => {
    const store = storeOf({ merge: ['cart'] })
    await begin(store, 'both', { cart: {}, n: 0, m: 0 })
    const told = conflictsOf(store)
    await twice(store, 'both', (one, other) => {
      addBoth(one, other)
      Object.assign(one, { n: 1, m: 1 })
      Object.assign(other, { n: 2 })
    })
    expect(await held(store, 'both')).toEqual({ cart: { apples: 1, pears: 2 }, n: 2, m: 1 })
    expect(told).toEqual([{ handle: expect.any(String), properties: ['n'] }])
  })

  test('an edit wins over a deletion of the property, whoever was first', async () => {
    const store = storeOf({ merge: ['cart'] })
    for (const [i, change] of [
      (one: Bag, other: Bag) => {
        delete one.cart
        other.cart.a = 2
      },
      (one: Bag, other: Bag) => {
        one.cart.a = 2
        delete other.cart
      },
    ].entries()) {
      await begin(store, `edit-${i}`, { cart: { a: 1 } })
      await twice(store, `edit-${i}`, change)
      expect(await held(store, `edit-${i}`)).toEqual({ cart: { a: 2 } })
    }
  })

  test('two requests that make the cart make one cart', async () => {
    const store = storeOf({ merge: ['cart'] })
    await begin(store, 'new', { userId: 'ada' })
    await twice(store, 'new', (one, other) => {
      one.cart = { a: 1 }
      other.cart = { b: 1 }
    })
    expect((await held(store, 'new')).cart).toEqual({ a: 1, b: 1 })
  })

  test('a save of something else before does not make it blind for what others have saved', async () => {
    const store = storeOf({ merge: ['cart'] })
    await begin(store, 'blind', { cart: {}, n: 0 })
    const [one, other] = [await open(store, 'blind'), await open(store, 'blind')]
    one.cart.a = 1
    await save(one)
    other.n = 1
    await save(other)
    other.cart.b = 1
    await save(other)
    expect((await held(store, 'blind')).cart).toEqual({ a: 1, b: 1 })
  })

  test('a touch before does not make it blind either', async () => {
    const store = storeOf({ merge: ['cart'], touchInterval: 0 })
    await begin(store, 'touched', { cart: {} })
    const [one, other] = [await open(store, 'touched'), await open(store, 'touched')]
    one.cart.a = 1
    await save(one)
    await store.touch('touched', other)
    other.cart.b = 1
    await save(other)
    expect((await held(store, 'touched')).cart).toEqual({ a: 1, b: 1 })
  })

  test('patch and increment by others are merged, too', async () => {
    const store = storeOf({ merge: true })
    await begin(store, 'patched', { cart: {}, n: 1 })
    const one = await open(store, 'patched')
    await store.patch('patched', { cart: { a: 1 } } as Bag)
    await store.increment('patched', 'n' as never)
    one.cart.b = 1
    await save(one)
    expect(await held(store, 'patched')).toEqual({ cart: { a: 1, b: 1 }, n: 2 })
  })

  test('an ended session stays ended', async () => {
    const store = storeOf({ merge: ['cart'] })
    await begin(store, 'ended', { cart: {} })
    const one = await open(store, 'ended')
    await store.patch('ended', { cart: { a: 1 } } as Bag)
    await store.destroy('ended')
    one.cart.b = 1
    await save(one)
    expect(await store.get('ended')).toBeNull()
  })
})

describe('the function of a property', () => {
  const stock = (base: Bag, theirs: Bag, mine: Bag) => theirs + mine - base
  const of = (merge: Bag) => storeOf({ merge })

  test('gets what was loaded, what others have saved, and what this request has made of it', async () => {
    const store = of({ stock })
    await begin(store, 'stock', { stock: 10 })
    await twice(store, 'stock', (one, other) => {
      one.stock = 9
      other.stock = 9
    })
    expect((await held(store, 'stock')).stock).toBe(8)
  })

  test('counts once what a request saves in two steps', async () => {
    const store = of({ stock })
    await begin(store, 'steps', { stock: 10 })
    const [one, other] = [await open(store, 'steps'), await open(store, 'steps')]
    one.stock -= 1
    await save(one)
    other.stock -= 1
    await save(other)
    other.stock -= 1
    await save(other)
    await save(other)
    expect((await held(store, 'steps')).stock).toBe(7)
  })

  test('of 20 requests at once counts all', async () => {
    const store = of({ stock })
    await begin(store, 'all', { stock: 100 })
    const requests = await Promise.all(Array.from({ length: 20 }, () => open(store, 'all')))
    await Promise.all(
      requests.map((one) => {
        one.stock -= 1
        return save(one)
      }),
    )
    expect((await held(store, 'all')).stock).toBe(80)
  })

  test('removes the property with undefined', async () => {
    const store = of({ cart: () => undefined })
    await begin(store, 'removed', { cart: {}, n: 1 })
    await twice(store, 'removed', addBoth)
    expect(await held(store, 'removed')).toEqual({ n: 1 })
  })

  test('that throws makes the save fail with what it throws, and one that returns a promise with a TypeError', async () => {
    const failing = of({
      cart: () => {
        throw new RangeError('no')
      },
    })
    await begin(failing, 'throws', { cart: {} })
    await expect(twice(failing, 'throws', addBoth)).rejects.toThrow(RangeError)
    // Nobody waits for the promise, so that its rejection must not end the process.
    const later = of({ cart: () => Promise.reject(new Error('later')) })
    await begin(later, 'later', { cart: {} })
    await expect(twice(later, 'later', addBoth)).rejects.toThrow(/"merge.cart" option must return/)
  })

  test.each([[undefined], [null]])('that throws %s makes the save fail with an error', async (nothing) => {
    const failing = of({
      cart: () => {
        throw nothing
      },
    })
    await begin(failing, `throws-${nothing}`, { cart: {} })
    await expect(twice(failing, `throws-${nothing}`, addBoth)).rejects.toThrow(`the application threw ${nothing}`)
  })
})

describe('maxBytes', () => {
  test('is asked of what has been merged, and nothing is written', async () => {
    const store = storeOf({ merge: ['cart'], maxBytes: 1_000 })
    await begin(store, 'size', { cart: {} })
    const [one, other] = [await open(store, 'size'), await open(store, 'size')]
    one.cart.a = 'x'.repeat(600)
    other.cart.b = 'y'.repeat(600)
    await save(one)
    await expect(save(other)).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
    expect(Object.keys((await held(store, 'size')).cart)).toEqual(['a'])
    other.cart.b = 'small'
    await save(other)
    expect(Object.keys((await held(store, 'size')).cart)).toEqual(['a', 'b'])
  })
})

describe('hostile content', () => {
  test('a cart with __proto__ and constructor changes no prototype, in memory or after it is loaded', async () => {
    const store = storeOf({ merge: true })
    await begin(store, 'hostile', { cart: {} })
    await twice(store, 'hostile', (one, other) => {
      one.cart = JSON.parse('{"__proto__":{"isAdmin":1},"constructor":{"prototype":{"isAdmin":1}},"a":1}')
      other.cart = JSON.parse('{"__proto__":{"isAdmin":2},"toString":1,"b":1}')
    })
    const { cart } = await held(store, 'hostile')
    expect(JSON.parse(JSON.stringify(cart))).toEqual({
      constructor: { prototype: { isAdmin: 1 } },
      a: 1,
      toString: 1,
      b: 1,
    })
    expect(cart.isAdmin).toBeUndefined()
    expect(({} as Bag).isAdmin).toBeUndefined()
  })

  test('properties with odd names are merged like any others', async () => {
    const store = storeOf({ merge: true })
    for (const name of ['@', '@i:user', '@@', '', 'é']) {
      await begin(store, 'names', { [name]: {} })
      await twice(store, 'names', (one, other) => {
        one[name].a = 1
        other[name].b = 1
      })
      expect(JSON.stringify(await held(store, 'names'))).toBe(JSON.stringify({ [name]: { a: 1, b: 1 } }))
    }
  })

  test('what others have written and nobody can read is overwritten, with a conflict', async () => {
    const store = storeOf({ merge: ['cart'], encryption: { keys: [randomBytes(32)] } })
    await begin(store, 'unreadable', { cart: {} })
    const one = await open(store, 'unreadable')
    await store.patch('unreadable', { n: 1 } as Bag)
    await client.hset(`${prefix}unreadable`, 'cart', 'garbage')
    const told = conflictsOf(store)
    one.cart.a = 1
    await save(one)
    expect((await held(store, 'unreadable')).cart).toEqual({ a: 1 })
    expect(told).toMatchObject([{ path: ['cart'] }])
  })
})

describe('values of other serializers', () => {
  test('dates, sets and instances are leaves, and survive beside what others add', async () => {
    const store = storeOf({ merge: ['cart'], serializer: superjson })
    await begin(store, 'super', { cart: { at: new Date(1), tags: new Set(['a']) } })
    const told = conflictsOf(store)
    await twice(store, 'super', (one, other) => {
      one.cart.at = new Date(2)
      other.cart.tags.add('b')
      one.cart.both = new Date(5)
      other.cart.both = new Date(6)
    })
    expect((await held(store, 'super')).cart).toEqual({ at: new Date(2), tags: new Set(['a', 'b']), both: new Date(6) })
    expect(told).toMatchObject([{ path: ['cart', 'both'] }])
  })
})

describe('with a near cache', () => {
  test('sessions from the cache are merged, and nobody is served what was before', async () => {
    const store = warmed(await cachingStore({ client, prefix, timeout: 30_000, merge: ['cart'] }))
    stores.push(store)
    await begin(store, 'cached', { cart: {} })
    await twice(store, 'cached', addBoth)
    expect((await open(store, 'cached')).cart).toEqual({ apples: 1, pears: 2 })
    await twice(store, 'cached', (one, other) => {
      one.cart.plums = 1
      delete other.cart.apples
    })
    expect((await open(store, 'cached')).cart).toEqual({ pears: 2, plums: 1 })
  })
})

describe('while hashIds changes', () => {
  test.each([[false], [true]])(
    'sessions under an older id are merged, also where one moves it (both know both: %s)',
    async (both) => {
      const old = storeOf({ merge: ['cart'], hashIds: 'old' })
      const current = storeOf({ merge: ['cart'], hashIds: ['new', 'old'] })
      const sid = `moving-${both}`
      await begin(old, sid, { cart: {} })
      const requests = [await open(both ? current : old, sid), await open(current, sid), await open(current, sid)]
      for (const [i, one] of requests.entries()) {
        one.cart[`thing-${i}`] = i
        await save(one)
      }
      expect((await held(current, sid)).cart).toEqual({ 'thing-0': 0, 'thing-1': 1, 'thing-2': 2 })
    },
  )
})

describe("a string of connect-redis's", () => {
  test('that two requests convert keeps what both have put into the cart', async () => {
    const store = storeOf({ merge: ['cart'] })
    const content = { cookie: { originalMaxAge: 600_000, path: '/', httpOnly: true }, cart: { bread: 1 }, n: 0 }
    await client.set(`${prefix}string`, JSON.stringify(content), 'EX', 600)
    await twice(store, 'string', (one, other) => {
      addBoth(one, other)
      other.n = 1
    })
    expect(await held(store, 'string')).toEqual({ cart: { bread: 1, apples: 1, pears: 2 }, n: 1 })
  })

  test('that stays one here and becomes a hash elsewhere meanwhile is merged into that', async () => {
    const points = (base = 0, theirs = 0, mine = 0) => theirs + mine - base
    const merge = { cart: true, points } as never
    const [strings, hashes] = [storeOf({ merge, convert: 'never' }), storeOf({ merge })]
    await begin(strings, 'becomes-a-hash', { cart: {}, points: 10 })
    const [mine, theirs] = [await open(strings, 'becomes-a-hash'), await open(hashes, 'becomes-a-hash')]
    Object.assign(theirs, { cart: { pears: 2 }, points: 15 })
    await save(theirs)
    Object.assign(mine, { cart: { apples: 1 }, points: 11 })
    await save(mine)
    expect(await held(strings, 'becomes-a-hash')).toMatchObject({ cart: { pears: 2, apples: 1 }, points: 16 })
  })

  test('that connect-redis rewrites meanwhile is merged', async () => {
    const store = storeOf({ merge: ['cart'] })
    const content = (cart: object) =>
      JSON.stringify({ cookie: { originalMaxAge: 600_000, path: '/', httpOnly: true }, cart })
    await client.set(`${prefix}rewritten`, content({ bread: 1 }), 'EX', 600)
    const one = await open(store, 'rewritten')
    await client.set(`${prefix}rewritten`, content({ bread: 1, theirs: 1 }), 'EX', 600)
    one.cart.mine = 1
    await save(one)
    expect((await held(store, 'rewritten')).cart).toEqual({ bread: 1, theirs: 1, mine: 1 })
  })
})
