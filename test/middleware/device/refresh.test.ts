import { boundValue } from '../../../src/middleware/device/bound-cookie.js'
import { Device } from '../../support/device.js'
import { challengeIn, DEVICE_PATH, DeviceBrowser, setCookiesOf } from '../../support/device-browser.js'
import { connect } from '../../support/redis.js'
import { ANY_CHANNEL } from '../../support/server.js'
import { type DeviceSite, deviceSite } from './site.js'

const client = connect()
let site: DeviceSite
let ada: DeviceBrowser

beforeEach(async () => {
  site = deviceSite(client)
  ada = new DeviceBrowser(site.server)
  await ada.logIn()
})
afterEach(() => site.close())
afterAll(() => client.quit())

const user = async (browser: DeviceBrowser) => (await browser.send('get', '/me')).body.user
const ended = { continue: false }
const names = () => site.events.map(([name]) => name)

test('a refresh is asked for a proof, in the words of the draft, and then gets the next cookie', async () => {
  const asked = await ada.ask()
  expect([asked.status, asked.text]).toEqual([403, ''])
  expect(asked.headers['secure-session-challenge']).toMatch(new RegExp(`^"[\\w-]{22}";id="${ada.bound?.id}"$`))
  await site.pass(ada, 300)
  const before = ada.jar.get('__Host-device')
  const answered = await ada.answer(ada.device.proof(challengeIn(await ada.ask()) as string))
  expect([answered.status, answered.body]).toEqual([
    200,
    expect.objectContaining({ session_identifier: ada.bound?.id }),
  ])
  expect(setCookiesOf(answered)).toEqual([expect.stringMatching(/^__Host-device=\S+; Path=\/; .*Max-Age=600$/)])
  expect(ada.jar.get('__Host-device')).not.toBe(before)
  expect(await site.fields()).not.toHaveProperty('@dc')
})

test('it neither prolongs the session nor sends its cookie, where every other request does', async () => {
  await site.close()
  site = deviceSite(client, { touchInterval: 0, cookie: { maxAge: 600_000 } })
  ada = new DeviceBrowser(site.server)
  await ada.logIn()
  const { '@': before } = await site.fields()
  await client.pexpire(await site.key(), 60_000)
  const answered = await ada.refresh()
  expect(answered.status).toBe(200)
  expect(setCookiesOf(answered)).toHaveLength(1)
  expect((await site.fields())['@']).toBe(before)
  expect(await client.pttl(await site.key())).toBeLessThanOrEqual(60_000)
})

test('tabs that ask at once get the same challenge, the first proof counts, and the other one is asked again', async () => {
  const [one, other] = await Promise.all([ada.ask(), ada.ask()])
  expect(challengeIn(one)).toBe(challengeIn(other))
  const proof = ada.device.proof(challengeIn(one) as string)
  const [first, second] = [await ada.answer(proof), await ada.answer(proof)]
  expect([first.status, second.status]).toEqual([200, 403])
  const again = challengeIn(second) as string
  expect(again).not.toBe(challengeIn(one))
  expect((await ada.answer(ada.device.proof(again))).status).toBe(200)
  expect(names()).toEqual(['bound'])
})

test('each cookie counts until its own end, however many refreshes there are at once', async () => {
  const first = ada.stolen()
  const tabs = Array.from({ length: 8 }, () => ada.refresh())
  await Promise.all(tabs)
  for (let i = 0; i < 3; i++) expect((await ada.refresh()).status).toBe(200)
  expect(await user(ada)).toBe('ada')
  expect(await user(first)).toBe('ada')
  expect(names()).toEqual(['bound'])
})

test('an answer that gets lost costs nothing: the browser asks again, and the cookie before still counts', async () => {
  const challenge = challengeIn(await ada.ask()) as string
  const before = ada.stolen()
  await ada.answer(ada.device.proof(challenge))
  expect(await user(before)).toBe('ada')
  ada.jar.set('__Host-device', before.jar.get('__Host-device') as string)
  const cached = await ada.answer(ada.device.proof(challenge))
  expect(cached.status).toBe(403)
  expect((await ada.answer(ada.device.proof(challengeIn(cached) as string))).status).toBe(200)
})

test('a challenge ends after two minutes', async () => {
  const challenge = challengeIn(await ada.ask()) as string
  await site.pass(ada, 121)
  const response = await ada.answer(ada.device.proof(challenge))
  expect([response.status, challengeIn(response)]).toEqual([403, expect.not.stringMatching(challenge)])
})

test.each<[string, number, string | undefined, (challenge: string, device: Device) => string]>([
  ['the signature of another key', 400, 'signature', (challenge) => new Device().proof(challenge)],
  ['another key in it', 400, 'key', (challenge) => new Device().registration(challenge)],
  ['its own key in it', 400, undefined, (challenge, device) => device.registration(challenge)],
  ['the algorithm none', 400, undefined, (challenge, device) => device.proof(challenge, { alg: 'none' })],
  ['the algorithm RS256', 400, undefined, (challenge, device) => device.proof(challenge, { alg: 'RS256' })],
  ['an oversized proof', 400, undefined, (challenge, device) => device.proof(challenge, {}, { x: 'x'.repeat(3000) })],
  ['a foreign challenge', 403, undefined, (_challenge, device) => device.proof('A'.repeat(22))],
])('with %s it is refused with %i', async (_what, status, reason, sign) => {
  const bound = ada.bound?.id
  const response = await ada.refresh((challenge) => sign(challenge, ada.device))
  expect([response.status, setCookiesOf(response)]).toEqual([status, []])
  expect(site.events.slice(1)).toEqual(
    reason === undefined ? [] : [['device-mismatch', { handle: expect.any(String), reason }]],
  )
  // The owner goes on.
  expect(await user(ada)).toBe('ada')
  const again = await ada.ask(bound)
  expect((await ada.answer(ada.device.proof(challengeIn(again) as string), bound)).status).toBe(200)
})

test('a thief with the whole jar gets no further cookie', async () => {
  const thief = ada.stolen()
  thief.bound = ada.bound
  const response = await thief.refresh()
  expect([response.status, setCookiesOf(response)]).toEqual([400, []])
  expect(names()).toEqual(['bound', 'device-mismatch'])
  await site.pass(thief, 611)
  expect(await user(thief)).toBeNull()
})

test('every answer that the owner got is worthless when it is sent again', async () => {
  const challenge = challengeIn(await ada.ask()) as string
  const proof = ada.device.proof(challenge)
  expect((await ada.answer(proof)).status).toBe(200)
  const thief = ada.stolen(['__Host-sid'])
  const replayed = await thief.answer(proof, ada.bound?.id)
  expect([replayed.status, setCookiesOf(replayed)]).toEqual([403, []])
})

test('a browser that means another session is told to forget it, and keeps the cookie of this one', async () => {
  const bob = new DeviceBrowser(site.server)
  await bob.logIn('/login?userId=bob')
  for (const id of [bob.bound?.id as string, 'unknown', '']) {
    const response = await ada.ask(id)
    expect([response.status, response.body, setCookiesOf(response)]).toEqual([200, ended, []])
    const proven = await ada.answer(bob.device.proof('A'.repeat(22)), id)
    expect([proven.status, proven.body]).toEqual([200, ended])
  }
  expect(names()).toEqual(['bound', 'bound'])
})

test.each(['a b', 'a"b'])('an identifier %j that is no string of the draft is refused', async (id) => {
  const response = await ada.send('post', DEVICE_PATH, { 'Sec-Secure-Session-Id': id })
  expect(response.status).toBe(400)
})

test.each([
  ['no session', () => new DeviceBrowser(site.server)],
  [
    'an ended session',
    async () => {
      const copy = ada.stolen()
      await site.sessions.store.destroyBy('user', 'ada')
      return copy
    },
  ],
])('with %s, the browser is told to forget its key, and its cookie is deleted', async (_what, of) => {
  const browser = await of()
  const response = await browser.ask(ada.bound?.id)
  expect([response.status, response.body]).toEqual([200, ended])
  expect(setCookiesOf(response)).toEqual(['__Host-device=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0'])
})

test('a session that is not bound has nothing to refresh', async () => {
  const bob = new DeviceBrowser(site.server)
  await bob.send('get', '/login?userId=bob')
  expect((await bob.ask('x')).body).toEqual(ended)
})

test('another site cannot ask', async () => {
  const headers = { 'Sec-Secure-Session-Id': `"${ada.bound?.id}"`, Origin: 'https://evil.example' }
  const response = await ada.send('post', DEVICE_PATH, headers)
  expect([response.status, response.headers['secure-session-challenge']]).toEqual([403, undefined])
})

test('while Redis is away it is a 503, and the browser goes on afterwards', async () => {
  await site.close()
  const username = 'device-refresh'
  await client.acl('SETUSER', username, 'on', '>p', '~*', ...ANY_CHANNEL, '+@all')
  const limited = connect({ username, password: 'p', maxRetriesPerRequest: 1 })
  site = deviceSite(limited)
  ada = new DeviceBrowser(site.server)
  await ada.logIn()
  for (const commands of [['-evalsha', '-eval'], ['-hgetall']]) {
    await client.acl('SETUSER', username, ...commands)
    expect((await ada.ask()).status).toBe(503)
    await client.acl('SETUSER', username, '+@all')
  }
  expect(ada.bound).toBeDefined()
  expect((await ada.refresh()).status).toBe(200)
  await site.close()
  limited.disconnect()
  await client.acl('DELUSER', username)
  site = deviceSite(client)
})

test('while requests go on without sessions, too: any other answer would make the browser forget its key', async () => {
  const bare = deviceSite(client, { onUnavailable: 'anonymous' })
  const eve = new DeviceBrowser(bare.server)
  await eve.logIn()
  bare.sessions.store.emit('disconnect')
  expect((await eve.ask()).status).toBe(503)
  bare.sessions.store.emit('connect')
  expect((await eve.refresh()).status).toBe(200)
  await bare.close()
})

test('the secret of a session makes its cookies: one of another session, or of another time, does not count', async () => {
  await site.pass(ada, 611)
  const [secret = ''] = ((await site.fields())['@db'] as string).split(' ')
  await ada.refresh()
  for (const forged of [boundValue('x'.repeat(22), Date.now()), `${Date.now().toString(36)}.${secret}`]) {
    const thief = ada.stolen()
    thief.jar.set('__Host-device', forged)
    expect(await user(thief)).toBeNull()
  }
})
