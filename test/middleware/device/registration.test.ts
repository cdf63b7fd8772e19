import { Device } from '../../support/device.js'
import { DEVICE_PATH, DeviceBrowser, setCookiesOf } from '../../support/device-browser.js'
import { connect } from '../../support/redis.js'
import { type DeviceSite, deviceSite } from './site.js'

const client = connect()
let site: DeviceSite
let ada: DeviceBrowser

beforeEach(() => {
  site = deviceSite(client)
  ada = new DeviceBrowser(site.server)
})
afterEach(() => site.close())
afterAll(() => client.quit())

const user = async (browser: DeviceBrowser) => (await browser.send('get', '/me')).body.user

test('a login offers to register, in the words of the draft', async () => {
  const response = await ada.send('get', '/login?userId=ada')
  expect(response.headers['secure-session-registration']).toMatch(
    /^\(ES256\);path="\/\.well-known\/device-session";challenge="[\w-]{22}"$/,
  )
  const fields = await site.fields()
  expect(fields['@dc']).toMatch(/^[\w-]{22} [0-9a-z]+$/)
  expect(fields).not.toHaveProperty('@dk')
})

test('no other response offers it', async () => {
  expect((await ada.send('get', '/cart?cart=tea')).headers).not.toHaveProperty('secure-session-registration')
  await ada.send('get', '/login?userId=ada')
  for (const path of ['/me', '/cart?cart=tea', '/login?userId=ada']) {
    expect((await ada.send('get', path)).headers).not.toHaveProperty('secure-session-registration')
  }
})

test('a registration is answered with the instructions of the draft, and with the cookie that they name', async () => {
  await ada.send('get', '/login?userId=ada')
  const response = await ada.register()
  expect([response.status, response.type]).toEqual([200, 'application/json'])
  expect(response.body).toEqual({
    session_identifier: expect.stringMatching(/^[\w-]{22}$/),
    refresh_url: DEVICE_PATH,
    scope: { include_site: false, scope_specification: [] },
    credentials: [{ type: 'cookie', name: '__Host-device', attributes: 'Path=/; Secure; HttpOnly; SameSite=Lax' }],
  })
  expect(setCookiesOf(response)).toEqual([
    expect.stringMatching(/^__Host-device=[0-9a-z]+\.[\w-]{22}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/),
  ])
  expect(response.headers).toMatchObject({
    'cache-control': 'no-store',
    'cross-origin-resource-policy': 'same-origin',
    'x-frame-options': 'DENY',
  })
})

test('it leaves a key, and each field stays under 64 bytes', async () => {
  await ada.logIn()
  await ada.ask()
  const fields = await site.fields()
  expect(fields).toMatchObject({
    '@dk': expect.stringMatching(/^[\w-]{44}$/),
    '@db': expect.stringMatching(/^[\w-]{22} [0-9a-z]+ u$/),
    '@dc': expect.stringMatching(/^[\w-]{22} [0-9a-z]+$/),
  })
  for (const name of ['@dk', '@dc', '@db']) expect((fields[name] as string).length).toBeLessThan(64)
  expect(await client.object('ENCODING', await site.key())).toMatch(/listpack|ziplist/)
})

test('it is announced under the public name of the session, and told of the session', async () => {
  await ada.logIn()
  const [found] = await site.sessions.store.findBy('user', 'ada')
  expect(found?.deviceBound).toBe(true)
  expect(site.events).toEqual([['bound', { handle: found?.handle }]])
  const bob = new DeviceBrowser(site.server)
  await bob.send('get', '/login?userId=bob')
  const [other] = await site.sessions.store.findBy('user', 'bob')
  expect(other?.deviceBound).toBe(false)
})

test('the header may stand in quotes, with parameters after it', async () => {
  await ada.send('get', '/login?userId=ada')
  const proof = ada.device.registration(ada.offered as string)
  expect((await ada.register(`"${proof}";v=1`)).status).toBe(200)
})

test.each<[string, number, (browser: DeviceBrowser, device: Device) => string]>([
  ['nothing in it', 400, () => ''],
  ['text', 400, () => 'proof'],
  ['a list of two', 400, ({ offered = '' }, device) => `"${device.registration(offered)}", "x"`],
  ['no key', 400, ({ offered = '' }, device) => device.proof(offered)],
  ['the algorithm none', 400, ({ offered = '' }, device) => device.registration(offered, { alg: 'none' })],
  ['the algorithm RS256', 400, ({ offered = '' }, device) => device.registration(offered, { alg: 'RS256' })],
  ['another type', 400, ({ offered = '' }, device) => device.registration(offered, { typ: 'jwt' })],
  [
    'the key of somebody else',
    400,
    ({ offered = '' }, device) => new Device().registration(offered, { jwk: device.jwk }),
  ],
  ['an oversized proof', 400, ({ offered = '' }, device) => device.registration(offered, {}, { x: 'x'.repeat(3000) })],
  ['another challenge', 403, (_browser, device) => device.registration('A'.repeat(22))],
  ['a challenge with more behind it', 403, ({ offered = '' }, device) => device.registration(`${offered} 1`)],
])('a registration with %s is refused with %i, and the offer stands', async (_what, status, proof) => {
  await ada.send('get', '/login?userId=ada')
  const response = await ada.register(proof(ada, ada.device))
  expect([response.status, response.text, setCookiesOf(response)]).toEqual([status, '', []])
  expect(await site.fields()).not.toHaveProperty('@dk')
  expect(await user(ada)).toBe('ada')
  expect((await ada.register()).status).toBe(200)
})

test('without a proof it is refused', async () => {
  await ada.send('get', '/login?userId=ada')
  expect((await ada.send('post', DEVICE_PATH)).status).toBe(400)
})

test('a challenge of another session does not count', async () => {
  const eve = new DeviceBrowser(site.server)
  await eve.send('get', '/login?userId=eve')
  await ada.send('get', '/login?userId=ada')
  expect((await ada.register(ada.device.registration(eve.offered as string))).status).toBe(403)
  const stranger = new DeviceBrowser(site.server)
  expect((await stranger.register(ada.device.registration(ada.offered as string))).status).toBe(403)
})

test('a session is bound once: neither the same proof nor another key is taken afterwards', async () => {
  await ada.send('get', '/login?userId=ada')
  const proof = ada.device.registration(ada.offered as string)
  expect((await ada.register(proof)).status).toBe(200)
  const { '@dk': key } = await site.fields()
  const replayed = await ada.register(proof)
  expect([replayed.status, setCookiesOf(replayed)]).toEqual([403, []])
  const thief = new Device()
  expect((await ada.register(thief.registration(ada.offered as string))).status).toBe(403)
  expect(await site.fields()).toMatchObject({ '@dk': key })
  expect(site.events.map(([name, payload]) => [name, (payload as { reason?: string }).reason])).toEqual([
    ['bound', undefined],
    ['device-mismatch', 'key'],
  ])
})

test('of many registrations at once, one binds', async () => {
  await ada.send('get', '/login?userId=ada')
  const devices = Array.from({ length: 10 }, () => new Device())
  const answers = await Promise.all(devices.map((device) => ada.register(device.registration(ada.offered as string))))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(9).fill(403)])
})

test('an offer ends after ten minutes', async () => {
  await ada.send('get', '/login?userId=ada')
  await site.pass(ada, 601)
  expect((await ada.register()).status).toBe(403)
})

test('an answer to the registration that gets lost locks nobody out: the session stays as it was', async () => {
  await ada.send('get', '/login?userId=ada')
  const session = ada.stolen()
  await ada.register()
  await site.pass(ada, 3600)
  expect(await user(session)).toBe('ada')
  expect(site.events.map(([name]) => name)).toEqual(['bound'])
})

test('requests that were on their way when the device was registered are served', async () => {
  await ada.logIn()
  const underWay = ada.stolen(['__Host-sid'])
  expect(await user(ada)).toBe('ada')
  expect(await user(underWay)).toBe('ada')
  await site.pass(ada, 11)
  expect(await user(underWay)).toBeNull()
})

test.each([
  ['another site', { 'Sec-Fetch-Site': 'cross-site' }],
  ['a sibling subdomain', { 'Sec-Fetch-Site': 'same-site' }],
  ['another origin', { Origin: 'https://evil.example' }],
  ['an origin that is hidden', { Origin: 'null' }],
])('from %s it is refused', async (_what, headers) => {
  await ada.send('get', '/login?userId=ada')
  const proof = ada.device.registration(ada.offered as string)
  const response = await ada.send('post', DEVICE_PATH, { ...headers, 'Secure-Session-Response': proof })
  expect([response.status, setCookiesOf(response)]).toEqual([403, []])
  expect(Object.keys(response.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
})

test('a GET of the path is the application’s', async () => {
  await ada.send('get', '/login?userId=ada')
  expect((await ada.send('get', DEVICE_PATH)).status).toBe(404)
})
