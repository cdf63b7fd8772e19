import { randomBytes } from 'node:crypto'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import fc from 'fast-check'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const [first, second] = [randomBytes(32), randomBytes(32)]
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

// biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there
type Bag = any

function storeWith(
  keys: (string | Uint8Array)[],
  more: Partial<RedisStoreOptions> & { acceptPlaintext?: boolean } = {},
) {
  const { acceptPlaintext, ...options } = more
  const encryption = acceptPlaintext === undefined ? { keys } : { keys, acceptPlaintext }
  const made = new RedisStore({ client, prefix, encryption, ...options })
  const corrupt: unknown[] = []
  made.on('corrupt', (event) => corrupt.push(event))
  return Object.assign(made, { corrupt })
}

const store = storeWith([first])
const plain = new RedisStore({ client, prefix })
const key = (sid: string) => prefix + sid
const held = (sid: string) => client.hgetall(key(sid))
const make = (sid: string, data: object, by: RedisStore = store) => by.set(sid, { cookie, ...data } as never)
const keyIdOf = (text: string | undefined) => text?.slice(1, 7)
const unreadable = { handle: expect.any(String), reason: 'field', property: expect.any(String) }

beforeEach(() => {
  store.corrupt.length = 0
})
afterEach(() => plain.clear())
afterAll(() => client.quit())

describe('what Redis holds', () => {
  test('no value of a session is to be found there, and get gives all of them back', async () => {
    const data = { user: 'ada-lovelace', deep: { list: [1, 'é€😀', null] }, '@at': 'in-an-escaped-field', empty: '' }
    await make('s', data)
    const texts = await held('s')
    expect(Object.keys(texts).sort()).toEqual(['@', '@@at', 'deep', 'empty', 'user'])
    for (const [field, text] of Object.entries(texts)) if (field !== '@') expect(text).toMatch(/^~[\w-]{44,}$/)
    expect(await store.get('s')).toEqual({ cookie, ...data })
    expect(await store.read('s', ['user', '@at'])).toEqual({ user: 'ada-lovelace', '@at': 'in-an-escaped-field' })
    expect(await store.all()).toEqual([{ cookie, ...data, id: 's' }])
  })

  test('the same value twice gives two texts', async () => {
    await make('s', { a: 'same', b: 'same' })
    const { a, b } = await held('s')
    expect(a).not.toBe(b)
  })

  test('bookkeeping stays readable, an unusual cookie too', async () => {
    await make('s', { user: 'ada', cookie: { ...cookie, domain: 'example.org' } })
    expect(await held('s')).toMatchObject({ '@cookie': '1:{"domain":"example.org"}' })
    expect(await store.get('s')).toMatchObject({ cookie: { domain: 'example.org' }, user: 'ada' })
  })

  test('a save writes the changed field only', async () => {
    await make('s', { user: 'ada', visits: 1 })
    const before = await held('s')
    const session = (await store.get('s')) as Bag
    session.visits = 2
    await store.set('s', session)
    const after = await held('s')
    expect(after.user).toBe(before.user)
    expect(after.visits).not.toBe(before.visits)
    expect(await store.get('s')).toMatchObject({ user: 'ada', visits: 2 })
  })

  test('maxBytes counts what Redis holds', async () => {
    await storeWith([first]).set('s', { user: 'ada' } as never)
    const held = `user${(await client.hget(`${prefix}s`, 'user')) ?? ''}`.length
    await storeWith([first], { maxBytes: held }).set('s', { user: 'eve' } as never)
    const small = storeWith([first], { maxBytes: held - 1 })
    await expect(small.set('s', { user: 'ida' } as never)).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
    expect(await small.get('s')).toMatchObject({ user: 'eve' })
  })

  test('an asynchronous serializer is encrypted too', async () => {
    const serializer = {
      stringify: (v: unknown) => `json ${JSON.stringify(v)}`,
      parse: async (t: string) => JSON.parse(t.slice(5)),
    }
    const slow = storeWith([first], { serializer })
    await make('s', { user: 'ada', visits: 1 }, slow)
    expect((await held('s')).user).toMatch(/^~/)
    expect(await slow.increment('s', 'visits')).toBe(2)
    expect(await slow.get('s')).toEqual({ cookie, user: 'ada', visits: 2 })
  })
})

describe('beyond get and set', () => {
  test('patch and increment write ciphertext', async () => {
    await make('s', { visits: 1, theme: 'light' })
    expect(await store.patch('s', { theme: 'dark', extra: 1 })).toBe(true)
    expect(await store.increment('s', 'visits', 2)).toBe(3)
    expect(await store.increment('s', 'fresh')).toBe(1)
    const { '@': _, ...texts } = await held('s')
    for (const text of Object.values(texts)) expect(text).toMatch(/^~/)
    expect(await store.get('s')).toEqual({ cookie, visits: 3, theme: 'dark', extra: 1, fresh: 1 })
    await expect(store.increment('s', 'theme')).rejects.toMatchObject({ code: 'ERR_SESSION_NOT_A_NUMBER' })
  })

  test('fifty increments at once count to fifty', async () => {
    const patient = storeWith([first], { timeout: 10_000 })
    await make('s', {})
    await Promise.all(Array.from({ length: 50 }, () => patient.increment('s', 'n')))
    expect(await store.read('s', ['n'])).toEqual({ n: 50 })
  })

  test('increment of a value that cannot be decrypted: no session, and corrupt', async () => {
    await make('s', { n: 1 })
    await client.hset(key('s'), 'n', '1')
    expect(await store.increment('s', 'n')).toBeNull()
    expect(store.corrupt).toEqual([unreadable])
    expect((await held('s')).n).toBe('1')
  })

  test('a conflict is told by what was meant, not by the ciphertext', async () => {
    const conflicts: unknown[] = []
    const watching = storeWith([first])
    watching.on('conflict', ({ properties }) => conflicts.push(properties))
    await make('s', { a: 1, b: 1, c: 1 })
    const [one, two] = (await Promise.all([watching.get('s'), watching.get('s')])) as [Bag, Bag]
    one.a = 2
    one.b = 2
    await watching.set('s', one)
    two.a = 2
    two.b = 3
    two.c = 2
    await watching.set('s', two)
    // Both made 2 of `a`.
    expect(conflicts).toEqual([['b']])
    expect(await store.get('s')).toMatchObject({ a: 2, b: 3, c: 2 })
  })
})

describe('a new key', () => {
  const rotated = storeWith([second, first])

  test('an old key is accepted while listed, its texts are encrypted anew on save, and it is refused after removal', async () => {
    await make('s', { user: 'ada', visits: 1 })
    await make('never-saved', { user: 'bob' })
    const before = await held('s')
    const session = (await rotated.get('s')) as Bag
    session.visits = 2
    await rotated.set('s', session)
    const after = await held('s')
    expect(new Set([keyIdOf(after.user), keyIdOf(after.visits)]).size).toBe(1)
    expect(keyIdOf(after.user)).not.toBe(keyIdOf(before.user))

    const late = storeWith([second])
    expect(await late.get('s')).toMatchObject({ user: 'ada', visits: 2 })
    const untouched = await held('never-saved')
    expect(await late.get('never-saved')).toBeNull()
    expect(late.corrupt).toEqual([{ ...unreadable, property: 'user' }])
    expect(await held('never-saved')).toEqual(untouched)
  })

  test('a save without changes, and a touch that is due, do it as well', async () => {
    const eager = storeWith([second, first], { touchInterval: 0 })
    for (const [sid, use] of [
      ['saved', 'set'],
      ['touched', 'touch'],
    ] as const) {
      await make(sid, { user: 'ada' })
      const session = (await eager.get(sid)) as Bag
      await eager[use](sid, session)
      expect(await storeWith([second]).get(sid)).toMatchObject({ user: 'ada' })
    }
  })

  test('encrypting anew never writes over what another request has saved or removed meanwhile', async () => {
    await make('s', { a: 1, b: 1, c: 1 })
    const slow = (await rotated.get('s')) as Bag
    const fast = (await store.get('s')) as Bag
    fast.a = 2
    delete fast.b
    await store.set('s', fast)
    slow.c = 2
    await rotated.set('s', slow)
    expect(await rotated.get('s')).toEqual({ cookie, a: 2, c: 2 })
  })

  test('it never brings back a session that has ended', async () => {
    await make('s', { a: 1 })
    const slow = (await rotated.get('s')) as Bag
    await store.destroy('s')
    await rotated.set('s', slow)
    expect(await client.exists(key('s'))).toBe(0)
  })
})

describe('sessions from before encryption', () => {
  const migrating = storeWith([first], { acceptPlaintext: true })

  test('are absent by default, and left as they are', async () => {
    await make('s', { user: 'ada' }, plain)
    await client.set(key('string'), JSON.stringify({ cookie, user: 'bob' }), 'EX', 60)
    expect(await store.get('s')).toBeNull()
    expect(await store.get('string')).toBeNull()
    expect(store.corrupt).toEqual([unreadable, { handle: expect.any(String), reason: 'type' }])
    expect((await held('s')).user).toBe('"ada"')
    expect(await client.get(key('string'))).toContain('bob')
    await client.del(key('string'))
  })

  test('with acceptPlaintext they are read, and encrypted on save', async () => {
    await make('s', { user: 'ada', visits: 1 }, plain)
    const session = (await migrating.get('s')) as Bag
    expect(session).toEqual({ cookie, user: 'ada', visits: 1 })
    session.visits = 2
    await migrating.set('s', session)
    expect(await store.get('s')).toEqual({ cookie, user: 'ada', visits: 2 })
  })

  test("with acceptPlaintext connect-redis's strings are converted into ciphertext", async () => {
    await client.set(key('s'), JSON.stringify({ cookie, user: 'ada', n: 1 }), 'EX', 60)
    const [one, two] = (await Promise.all([migrating.get('s'), migrating.get('s')])) as [Bag, Bag]
    one.a = 1
    two.b = 1
    await migrating.set('s', one)
    await migrating.set('s', two)
    expect(await store.get('s')).toEqual({ cookie, user: 'ada', n: 1, a: 1, b: 1 })
    await client.set(key('t'), JSON.stringify({ cookie, n: 1 }), 'EX', 60)
    expect(await migrating.increment('t', 'n')).toBe(2)
    expect(await store.get('t')).toEqual({ cookie, n: 2 })
  })

  test('with acceptPlaintext a damaged ciphertext is not taken for plain text', async () => {
    await make('s', { user: 'ada' })
    const { user = '' } = await held('s')
    await client.hset(key('s'), 'user', user.slice(0, -4))
    expect(await migrating.get('s')).toBeNull()
  })
})

describe('whoever can write to Redis', () => {
  test('cannot move a value to another session, or to another field', async () => {
    await make('victim', { user: 'admin', name: 'x' })
    await make('mine', { user: 'eve', name: 'y' })
    const victim = await held('victim')
    await client.hset(key('mine'), 'user', victim.user as string)
    expect(await store.get('mine')).toBeNull()
    await make('mine', { user: 'eve', name: 'admin' })
    await client.hset(key('mine'), 'user', (await held('mine')).name as string)
    expect(await store.get('mine')).toBeNull()
    // RENAME would fail on a Cluster, where the keys are on different nodes.
    await client.hset(key('mine'), await client.hgetall(key('victim')))
    expect(await store.get('mine')).toBeNull()
    expect(store.corrupt).toEqual([
      { ...unreadable, property: 'user' },
      { ...unreadable, property: 'user' },
      { ...unreadable, property: 'user' },
    ])
  })

  test('cannot have a key id taken for another', async () => {
    const both = storeWith([first, second])
    await make('a', { user: 'x' }, storeWith([first]))
    await make('b', { user: 'x' }, storeWith([second]))
    const [a = '', b = ''] = [(await held('a')).user, (await held('b')).user]
    await client.hset(key('a'), 'user', `~${keyIdOf(b)}${a.slice(7)}`)
    expect(await both.get('a')).toBeNull()
  })

  test('cannot change, cut, extend or replace a single character of a value', async () => {
    await make('s', { user: 'ada' })
    const { user = '' } = await held('s')
    const place = fc.nat(user.length - 1)
    const change = fc.oneof(
      fc
        .tuple(place, fc.constantFrom(...'AZaz09-_=~+/ "1{'))
        .map(([at, c]) => user.slice(0, at) + c + user.slice(at + 1)),
      place.map((at) => user.slice(0, at)),
      fc.tuple(place, place).map(([a, b]) => user.slice(0, Math.min(a, b)) + user.slice(Math.max(a, b) + 1)),
      fc.string({ minLength: 1, maxLength: 4 }).map((more) => user + more),
      fc.json(),
      fc.string(),
    )
    await fc.assert(
      fc.asyncProperty(change, async (text) => {
        fc.pre(text !== user)
        await client.hset(key('s'), 'user', text)
        expect(await store.get('s')).toBeNull()
        expect(await store.read('s', ['user'])).toBeNull()
      }),
      { numRuns: 500 },
    )
    await client.hset(key('s'), 'user', user)
    expect(await store.get('s')).toMatchObject({ user: 'ada' })
  })
})

describe('the option', () => {
  const hex = first.toString('hex')

  test('takes a key as Buffer, Uint8Array, hex, base64 or base64url, all the same', async () => {
    await make('s', { user: 'ada' })
    const ways = [new Uint8Array(first), hex, hex.toUpperCase(), first.toString('base64'), first.toString('base64url')]
    for (const way of ways) expect(await storeWith([way]).get('s')).toMatchObject({ user: 'ada' })
  })

  test.each([
    ['no object', 'secret'],
    ['null', null],
    ['no keys', {}],
    ['an empty list', { keys: [] }],
    ['one key that is no list', { keys: hex }],
    ['31 bytes', { keys: [randomBytes(31)] }],
    ['33 bytes', { keys: [randomBytes(33)] }],
    ['zeros', { keys: [Buffer.alloc(32)] }],
    ['zeros in hex', { keys: ['0'.repeat(64)] }],
    ['a passphrase', { keys: ['correct horse battery staple, and some more'] }],
    ['32 letters as bytes', { keys: [Buffer.from('the quick brown fox jumps over a')] }],
    ['a weak old key', { keys: [hex, 'old'] }],
    ['a number for acceptPlaintext', { keys: [hex], acceptPlaintext: 1 }],
    ['a name that does not exist', { keys: [hex], acceptPlainText: true }],
  ])('refuses %s', (_what, encryption) => {
    const made = () => new RedisStore({ client, encryption: encryption as never })
    expect(made).toThrow(TypeError)
    expect(made).toThrow(/^"encryption" option must be \{ keys: \[current, \.\.\.old\]/)
  })
})
