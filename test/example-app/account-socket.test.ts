import { once } from 'node:events'
import { WebSocket } from 'ws'
import { privateRedis } from '../support/private-redis.js'
import { openShop } from './shop.js'
import { FIREFOX, Visitor } from './visitor.js'

const shop = openShop()
const address = shop.listen()

afterAll(() => shop.close())

/** Opens the socket of a visitor's account page. */
async function open(visitor: Visitor, headers: Record<string, string> = {}, at = address): Promise<WebSocket> {
  const cookie = visitor.cookie.split(';')[0] as string
  const url = `${(await at).replace('http', 'ws')}/account/live`
  return new WebSocket(url, { headers: { cookie, 'User-Agent': FIREFOX, ...headers } })
}

/** @returns the status with which the socket is refused */
async function refusal(socket: WebSocket): Promise<number> {
  const [error] = await once(socket, 'error')
  return Number(/\d{3}/.exec(String(error))?.[0])
}

async function loggedIn(email = shop.newAddress()): Promise<Visitor> {
  const visitor = new Visitor(shop.app, { 'Sec-Fetch-Site': 'same-origin' })
  await visitor.signUp('Ada', email)
  return visitor
}

test('it closes at once when the session is ended in another browser, and says why', async () => {
  const email = shop.newAddress()
  const here = await loggedIn(email)
  const there = new Visitor(shop.app, { 'Sec-Fetch-Site': 'same-origin' })
  await there.logIn(email)
  const socket = await open(here)
  await once(socket, 'open')
  const closed = once(socket, 'close')
  await there.post('/account/sessions/end-others', {})
  expect((await closed).map(String)).toEqual(['4001', 'revoked'])
  expect(await refusal(await open(here))).toBe(401)
})

test('it closes at a logout, and when the password is typed again, after which the new cookie opens it again', async () => {
  const visitor = await loggedIn()
  const first = await open(visitor)
  await once(first, 'open')
  const firstClosed = once(first, 'close')
  await visitor.submit('/', '/confirm', { to: '/', password: 'correct horse' })
  expect((await firstClosed).map(String)).toEqual(['4001', 'rotated'])
  const second = await open(visitor)
  await once(second, 'open')
  const secondClosed = once(second, 'close')
  await visitor.submit('/', '/logout')
  expect((await secondClosed).map(String)).toEqual(['4001', 'destroyed'])
})

test('it opens for nobody else', async () => {
  expect(await refusal(await open(new Visitor(shop.app)))).toBe(401)
  const anonymous = new Visitor(shop.app)
  await anonymous.addTea('chai')
  expect(await refusal(await open(anonymous))).toBe(401)
  const ada = await loggedIn()
  for (const origin of ['https://evil.example', 'null', 'http://localhost:1']) {
    expect([origin, await refusal(await open(ada, { origin }))]).toEqual([origin, 403])
  }
  const own = await open(ada, { origin: await address })
  await once(own, 'open')
  own.close()
})

test('it closes when the shop does', async () => {
  const own = openShop()
  const at = own.listen()
  const visitor = new Visitor(own.app)
  await visitor.signUp('Ada', own.newAddress())
  const socket = await open(visitor, {}, at)
  await once(socket, 'open')
  own.closeLive()
  expect(String((await once(socket, 'close'))[0])).toBe('1001')
  await own.close()
})

test('while Redis is away it answers 503, not "nobody is logged in", and an open one stays open', async () => {
  const redis = await privateRedis()
  const own = openShop({ client: redis.connect() })
  const at = own.listen()
  const visitor = new Visitor(own.app)
  await visitor.signUp('Ada', own.newAddress())
  const socket = await open(visitor, {}, at)
  await once(socket, 'open')
  const log = jest.spyOn(console, 'error').mockImplementation(() => {})
  process.kill(redis.pid, 'SIGSTOP')
  expect(await refusal(await open(visitor, {}, at))).toBe(503)
  process.kill(redis.pid, 'SIGCONT')
  log.mockRestore()
  expect(socket.readyState).toBe(WebSocket.OPEN)
  const closed = once(socket, 'close')
  await own.close()
  await closed
  await redis.stop()
})
