import { RedisStore, type RedisStoreOptions, rotateOnLogin, secureSession } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { propertiesRead } from '../../src/hash/properties-read.js'
import { connect, freshPrefix } from '../support/redis.js'
import { type Bag, begin, conflictsOf, held, open, save } from './requests.js'

const client = connect()
const prefix = freshPrefix()
afterAll(() => client.quit())

const make = (options: Bag) => new RedisStore({ client, prefix, timeout: 30_000, ...options } as RedisStoreOptions)

describe('the "merge" option', () => {
  test.each<[what: string, value: unknown]>([
    ['false', false],
    ['a text', 'cart'],
    ['a list of something else', [1]],
    ['a list with cookie', ['cart', 'cookie']],
    ['a list with __proto__', ['__proto__']],
    ['an object with a number', { cart: 1 }],
    ['an object with cookie', { cookie: true }],
    ['an object with __proto__', JSON.parse('{"__proto__":true}')],
    ['null', null],
  ])('is refused if it is %s', (_what, merge) => {
    expect(() => make({ merge })).toThrow(
      new TypeError('"merge" option must be true, a list of property names, or an object: names -> true or functions'),
    )
  })

  test.each<[what: string, read: (s: Bag) => unknown, property: string]>([
    ['directly', (s) => s.userId, 'userId'],
    ['inside another', (s) => s.passport?.user?.id, 'passport'],
    ['inside another, without asking', (s) => s.passport.user.id, 'passport'],
    ['after one that is missing', (s) => s.other ?? s.userId, 'userId'],
    ['only if there is another one', (s) => (s.isLoggedIn ? s.userId : null), 'userId'],
    ['by destructuring', ({ userId }) => userId, 'userId'],
    ['with all others', ({ other, ...rest }) => rest.userId ?? other, 'userId'],
    ['by the operator in', (s) => ('userId' in s ? 1 : null), 'userId'],
    ['into a text', (s) => `${s.tenant}/${s.userId}`, 'userId'],
    ['as a list', (s) => s.roles?.map((role: Bag) => role.name), 'roles'],
    ['as a list in a loop', (s) => [...s.roles].length, 'roles'],
    [
      'without an end',
      (s) => {
        let at = s.first
        while (at) at = at.next
        return at
      },
      'first',
    ],
    ['before it fails, by a promise', async (s) => Promise.reject(new Error(s.userId)), 'userId'],
    [
      'as all own names',
      (s) =>
        Object.keys(s)
          .filter((name) => s[name])
          .join(),
      'userId',
    ],
  ])('is a TypeError if it names what an index reads %s', (_what, read, property) => {
    const construct = () => make({ merge: [property], indexes: { user: read } })
    expect(construct).toThrow(TypeError)
    expect(construct).toThrow(new RegExp(`"merge" option must not name "${property}": the index "user" reads it`))
    expect(() => make({ merge: { [property]: () => 1 }, indexes: { user: read } })).toThrow(TypeError)
    expect(() => make({ merge: ['cart'], indexes: { user: (s: Bag) => s.userId } })).not.toThrow()
  })

  test('does not run an index function more than twice, and not at all without the option', () => {
    let calls = 0
    const indexes = {
      user: (s: Bag) => {
        calls += 1
        return s.userId
      },
    }
    make({ indexes })
    expect(calls).toBe(0)
    make({ indexes, merge: ['cart'] })
    expect(calls).toBe(2)
  })

  test('with true leaves out what an index reads: there the last save wins', async () => {
    const store = make({ merge: true, indexes: { user: (s: Bag) => s.passport?.user } })
    await begin(store, 'left-out', { passport: {}, cart: {} })
    const told = conflictsOf(store)
    const [one, other] = [await open(store, 'left-out'), await open(store, 'left-out')]
    Object.assign(one, { passport: { user: 'ada' }, cart: { a: 1 } })
    Object.assign(other, { passport: { hint: 1 }, cart: { b: 1 } })
    await save(one)
    await save(other)
    expect(await held(store, 'left-out')).toEqual({ passport: { hint: 1 }, cart: { a: 1, b: 1 } })
    expect(told).toMatchObject([{ properties: ['passport'] }])
  })

  test('with true merges nothing that rotateOnLogin reads, and with its name, requests fail with a TypeError', async () => {
    const app = express()
    app.use(session({ store: make({ merge: ['account'] }), secret: 's', resave: false, saveUninitialized: false }))
    app.use(rotateOnLogin({ principal: (s: Bag) => s.account?.id }))
    app.get('/', (_req, res) => res.end())
    app.use((err: Error, _req: Bag, res: Bag, _next: Bag) => res.status(500).send(`${err.name}: ${err.message}`))
    for (let i = 0; i < 2; i++) {
      const { text } = await request(app).get('/').expect(500)
      expect(text).toMatch(
        /^TypeError: "merge" option must not name "account": the principal of rotateOnLogin\(\) reads/,
      )
    }
  })

  test('of secureSession must not name what "user" reads, with a client as well as with a store', () => {
    const secret = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
    const user = (s: Bag) => s.account?.id
    expect(() => secureSession({ client, secret, user, merge: ['account'] })).toThrow(
      /"merge" option must not name "account"/,
    )
    const store = make({ merge: ['account'], absoluteTimeout: 28800, ttl: 1800, indexes: { user: (s: Bag) => s.uid } })
    expect(() => secureSession({ store, secret, user })).toThrow(
      /"merge" option must not name "account": the "user" option reads it/,
    )
    expect(() => secureSession({ client, secret, user, merge: ['cart'] })).not.toThrow()
  })
})

test('a function that goes through all properties is found to read the named ones', () => {
  expect(propertiesRead((s: object) => JSON.stringify(s), ['a', 'b'])).toEqual(new Set(['a', 'b', 'toJSON']))
})
