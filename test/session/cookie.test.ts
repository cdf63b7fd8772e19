import { RedisStore } from 'connect-redis-hash'
import session from 'express-session'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const store = new RedisStore({ client, prefix: freshPrefix() })
afterAll(() => client.quit())

type Attributes = Record<string, unknown>

/** Makes `req.session` as express-session does. */
async function load(): Promise<session.SessionData> {
  const req = { sessionID: 's', sessionStore: store } as never
  return store.createSession(req, (await store.get('s')) as never)
}

/** Takes lifetimes in whole seconds: express-session reads the clock more than once for one. */
function attributesOf({ cookie }: session.SessionData): Attributes {
  const { originalMaxAge, expires, ...others } = (cookie as unknown as { data: Attributes }).data
  return {
    ...others,
    hasEnd: Boolean(expires),
    seconds: originalMaxAge && Math.round((originalMaxAge as number) / 1000),
  }
}

/** Attributes of a session that begins with all of them. */
const before = { path: '/a', httpOnly: true, secure: true, sameSite: 'lax', domain: 'example.org', priority: 'low' }

describe.each([
  ['a cookie of a few attributes', {}],
  ['a cookie of many', before],
  ['a cookie with maxAge', { maxAge: 600_000, secure: true, sameSite: 'strict' }],
])('of %s', (_name, attributes) => {
  test.each<[string, unknown]>([
    ['path', '/b'],
    ['httpOnly', false],
    ['secure', false],
    ['sameSite', 'none'],
    ['domain', 'example.com'],
    ['partitioned', true],
    ['priority', 'high'],
    ['maxAge', 60_000],
    ['maxAge', null],
    ['expires', new Date(Date.now() + 3_600_000)],
  ])('a request that changes nothing but %s (%p) has changed it for the next one', async (name, value) => {
    const cookie = new (session.Cookie as unknown as new (options: object) => session.Cookie)(attributes)
    const req = { sessionID: 's', sessionStore: store } as never
    await store.set('s', Object.assign(store.createSession(req, { cookie } as never), { user: 'ada' }))

    const live = await load()
    ;(live.cookie as unknown as Attributes)[name] = value
    const wanted = attributesOf(live)
    await store.touch('s', live)
    expect(attributesOf(await load())).toEqual(wanted)
  })
})
