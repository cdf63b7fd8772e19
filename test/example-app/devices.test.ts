import supertest from 'supertest'
import { openShop } from './shop.js'
import { FIREFOX, IPHONE, Visitor } from './visitor.js'

const shop = openShop()
const PAGE = '/account/sessions'
/** Browsers send this with the forms of the page. */
const OWN = { 'Sec-Fetch-Site': 'same-origin' }

afterAll(() => shop.close())

/** Logs one user in with two browsers. */
async function twice() {
  const email = shop.newAddress()
  const [laptop, phone] = [new Visitor(shop.app, OWN), new Visitor(shop.app, { ...OWN, 'User-Agent': IPHONE })]
  await laptop.signUp('Ada', email)
  await phone.logIn(email)
  return { laptop, phone, email }
}

/** The handle in the form of the device with this name. */
async function handleOf(visitor: Visitor, name: string): Promise<string> {
  const { text } = await visitor.get(PAGE)
  return text
    .split('<li')
    .find((item) => item.includes(name))
    ?.match(/name="handle" value="([^"]+)"/)?.[1] as string
}

describe('the page of devices', () => {
  test('is linked from the account, and names the browsers', async () => {
    const { laptop } = await twice()
    expect((await laptop.get('/account')).text).toContain(`href="${PAGE}"`)
    const { status, text } = await laptop.get(PAGE)
    expect(status).toBe(200)
    expect(text).toMatch(/Firefox on Linux.*This device/)
    expect(text).toContain('Safari on iOS, phone')
    expect(text).toContain('<a href="/account">Back')
    expect(text).toContain('Hash &amp; Kettle</title>')
    expect(text).not.toContain(laptop.sessionId)
  })

  test('is in no frame, and not in the cache of the back button', async () => {
    const { laptop } = await twice()
    const { headers } = await laptop.get(PAGE)
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none';script-src 'self';.*frame-ancestors 'none'$/,
    )
    expect([headers['cache-control'], headers['referrer-policy']]).toEqual(['no-store', 'same-origin'])
  })

  test('asks visitors to log in, and leads them back', async () => {
    expect((await new Visitor(shop.app).get(PAGE)).headers.location).toBe('/login?to=%2Faccount%2Fsessions')
  })

  test('logs out one device, which is a visitor from then on', async () => {
    const { laptop, phone } = await twice()
    const answer = await laptop.post(`${PAGE}/end`, { handle: await handleOf(laptop, 'Safari on iOS') })
    expect([answer.status, answer.headers.location]).toEqual([303, './?ended=1'])
    expect(await shop.client.exists(shop.keyOf(phone))).toBe(0)
    expect((await phone.get('/account')).headers.location).toBe('/login?to=%2Faccount')
    const { text } = await laptop.get(`${PAGE}/?ended=1`)
    expect(text).toContain('<p class="flash" role="status">One device was logged out.</p>')
    expect(text).toContain('You are logged in nowhere else')
  })

  test('logs out this one: no session is left, and the cookie expires', async () => {
    const { laptop, phone } = await twice()
    const key = shop.keyOf(laptop)
    const answer = await laptop.post(`${PAGE}/end`, { handle: await handleOf(laptop, 'This device') })
    const expired = expect.stringMatching(/^sid=; Path=\/; Expires=Thu, 01 Jan 1970/)
    expect([answer.status, answer.headers['set-cookie']]).toEqual([303, [expired]])
    expect(await shop.client.exists(key)).toBe(0)
    expect((await laptop.get(`${PAGE}/`)).headers.location).toBe('/login?to=%2Faccount%2Fsessions')
    expect((await phone.get(PAGE)).status).toBe(200)
  })

  test('asks for the password first when it was typed a while ago', async () => {
    const { laptop, phone } = await twice()
    const handle = await handleOf(laptop, 'Safari on iOS')
    await shop.letTimePass(laptop)
    // With a renewed id it is still this device.
    expect((await laptop.get(PAGE)).text).toMatch(/Firefox on Linux.*This device/)
    const refused = await laptop.post(`${PAGE}/end`, { handle })
    expect(refused.headers.location).toBe('/confirm?to=%2Faccount%2Fsessions')
    expect(await shop.client.exists(shop.keyOf(phone))).toBe(1)
    expect((await laptop.confirm(refused.headers.location as string)).headers.location).toBe(PAGE)
    await laptop.post(`${PAGE}/end-others`, {})
    expect(await shop.client.exists(shop.keyOf(phone))).toBe(0)
  })

  test('does nothing for a form of another site', async () => {
    const { laptop, phone } = await twice()
    const thief = laptop.copy({ 'Sec-Fetch-Site': 'cross-site', 'User-Agent': FIREFOX })
    const refused = await thief.post(`${PAGE}/end-others`, {})
    expect(refused.status).toBe(403)
    expect(await shop.client.exists(shop.keyOf(phone))).toBe(1)
    expect((await supertest(shop.app).post(`${PAGE}/end-others`)).status).toBe(303)
  })
})
