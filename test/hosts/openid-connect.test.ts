import { RedisStore } from 'connect-redis-hash'
import { connect, freshPrefix } from '../support/redis.js'
import { cookieOf, HostProcess } from './host-process.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })
let server: HostProcess
let logins = 0

beforeAll(async () => {
  server = await HostProcess.start('openid-connect.child.ts', prefix)
}, HostProcess.STARTS_WITHIN_MS)
afterAll(async () => {
  server.stop()
  await client.quit()
})

interface User {
  cookie: string
  sub: string
  sid: string
  issuer: string
}

async function loggedIn(sub = `auth0|${logins}`): Promise<User> {
  const sid = `session-${logins++}`
  const response = await server.get(`/sign-in?${new URLSearchParams({ sub, sid })}`)
  return { cookie: cookieOf(response), sub, sid, issuer: String(await response.json()) }
}
const read = async ({ cookie }: User) => (await server.get('/read', cookie)).json()

async function backchannelLogout(claims: { sub: string } | { sid: string }): Promise<void> {
  const token = await server.get(`/logout-token?${new URLSearchParams(claims)}`)
  await server.post('/backchannel-logout', { logout_token: String(await token.json()) })
}

test('a back-channel logout by sid ends that login and no other', async () => {
  const [user, other] = [await loggedIn(), await loggedIn()]
  expect([await read(user), await read(other)]).toEqual([{ isLoggedIn: true }, { isLoggedIn: true }])
  await backchannelLogout({ sid: user.sid })
  expect(await store.exists(`${user.issuer}|${user.sid}`)).toBe(true)
  expect([await read(user), await read(other)]).toEqual([{ isLoggedIn: false }, { isLoggedIn: true }])
})

test.each([
  'auth0|5f7c8ec7c33c6c004bbafe82',
  'google-oauth2|108204268033311374519',
  'samlp|acme|ada+tea@example.org',
  `oidc|${'a'.repeat(250)}`,
])('a back-channel logout by sub ends the login of %s', async (sub) => {
  const user = await loggedIn(sub)
  await backchannelLogout({ sub })
  expect(await read(user)).toEqual({ isLoggedIn: false })
})

test('a user who has logged in again can be logged out again, at once, by what looks like the logout before', async () => {
  const { sub } = await loggedIn()
  for (let round = 0; round < 3; round++) {
    const user = await loggedIn(sub)
    expect(await read(user)).toEqual({ isLoggedIn: true })
    await backchannelLogout({ sub })
    expect(await read(user)).toEqual({ isLoggedIn: false })
    await server.get(`/forget?${new URLSearchParams({ sub })}`)
  }
})

test.each(['/slow/put/late/1', '/slow/read'])('a logout is not undone by %s, which ends later', async (path) => {
  const user = await loggedIn()
  const finish = await server.underWay(path, user.cookie)
  await server.get('/logout', user.cookie)
  await finish()
  expect(await read(user)).toEqual({ isLoggedIn: false })
})

test('a request that only reads undoes no change of one that ends before it', async () => {
  const user = await loggedIn()
  const finish = await server.underWay('/slow/read', user.cookie)
  await server.get('/put/theme/dark', user.cookie)
  await finish()
  expect(await read(user)).toEqual({ isLoggedIn: true, theme: 'dark' })
})
