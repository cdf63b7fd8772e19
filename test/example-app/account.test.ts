import { openShop } from './shop.js'
import { Visitor } from './visitor.js'

const shop = openShop()
const ADDRESS = { street: '1 Leaf Lane', postcode: 'T34 2GO', town: 'Kettlewell' }

afterAll(() => shop.close())

async function loggedIn(email = shop.newAddress()): Promise<Visitor> {
  const visitor = new Visitor(shop.app)
  await visitor.signUp('Ada', email)
  await visitor.get('/')
  return visitor
}

describe('the account', () => {
  test('asks visitors to log in, and leads them back', async () => {
    const email = shop.newAddress()
    await loggedIn(email)
    const visitor = new Visitor(shop.app)
    expect((await visitor.get('/account')).headers.location).toBe('/login?to=%2Faccount')
    expect((await visitor.get('/login?to=%2Faccount')).text).toContain('Please log in to see your account')
    expect((await visitor.logIn(email, 'correct horse', { to: '/account' })).headers.location).toBe('/account')
    expect((await visitor.get('/account')).text).toContain(email)
  })

  test('keeps an address', async () => {
    const visitor = await loggedIn()
    const saved = await visitor.submit('/account', '/account', ADDRESS)
    expect([saved.status, saved.headers.location]).toEqual([303, '/account'])
    const { text } = await visitor.get('/account')
    expect(text).toContain('Your address is saved')
    for (const value of Object.values(ADDRESS)) expect(text).toContain(`value="${value}"`)
  })

  test('says what is wrong with an address, and keeps what was typed', async () => {
    const visitor = await loggedIn()
    const refused = await visitor.submit('/account', '/account', { ...ADDRESS, town: '' })
    expect(refused.status).toBe(422)
    expect(refused.text).toContain('Please tell us the town')
    expect(refused.text).toContain('value="1 Leaf Lane"')
  })

  test('is deleted with everything in it, once the visitor is sure', async () => {
    const email = shop.newAddress()
    const visitor = await loggedIn(email)
    expect((await visitor.submit('/account/delete', '/account/delete')).headers.location).toBe('/account/delete')
    const key = shop.keyOf(visitor)
    const deleted = await visitor.submit('/account/delete', '/account/delete', { sure: 'on' })
    expect(deleted.headers.location).toBe('/?bye=deleted')
    expect((await visitor.get('/?bye=deleted')).text).toContain('Your account is deleted')
    expect(await shop.client.exists(key)).toBe(0)
    expect((await new Visitor(shop.app).logIn(email)).status).toBe(401)
  })

  test('that was deleted in another browser logs this one out', async () => {
    const email = shop.newAddress()
    const [here, there] = [await loggedIn(email), new Visitor(shop.app)]
    await there.logIn(email)
    await there.submit('/account/delete', '/account/delete', { sure: 'on' })
    expect(await shop.client.exists(shop.keyOf(here))).toBe(0)
    expect((await here.get('/account')).headers.location).toBe('/login?to=%2Faccount')
    expect((await here.get('/')).text).toContain('Sign up')
  })
})

describe('a login that has grown old', () => {
  test.each(['/account', '/account/delete'])('is asked for the password before %s, and comes back', async (path) => {
    const visitor = await loggedIn()
    expect((await visitor.get(path)).status).toBe(200)
    await shop.letTimePass(visitor)
    const { headers } = await visitor.get(path)
    expect(headers.location).toBe(`/confirm?${new URLSearchParams({ to: path })}`)
    const page = await visitor.get(headers.location as string)
    expect(page.text).toContain('more than')
    expect(page.text).not.toContain('opened in another browser')
    const id = visitor.sessionId
    expect((await visitor.confirm(headers.location as string)).headers.location).toBe(path)
    expect(visitor.sessionId).not.toBe(id)
    expect((await visitor.get(path)).status).toBe(200)
  })

  test('changes nothing, and is told so', async () => {
    const email = shop.newAddress()
    const visitor = await loggedIn(email)
    const { text } = await visitor.get('/account/delete')
    const _csrf = /name="_csrf" value="(\w+)"/.exec(text)?.[1] as string
    await shop.letTimePass(visitor)
    const refused = await visitor.post('/account/delete', { _csrf, sure: 'on' })
    expect(refused.headers.location).toBe('/confirm?to=%2Faccount%2Fdelete')
    expect((await visitor.get(refused.headers.location as string)).text).toContain('Nothing was changed yet')
    expect((await new Visitor(shop.app).logIn(email)).status).toBe(303)
  })

  test('goes on shopping without being asked', async () => {
    const visitor = await loggedIn()
    await shop.letTimePass(visitor)
    await visitor.addTea('chai')
    expect((await visitor.submit('/cart', '/cart/order')).headers.location).toBe('/')
    expect((await visitor.get('/session')).text).toContain('stale')
  })

  test('keeps basket and name when the password is typed again', async () => {
    const visitor = await loggedIn()
    await visitor.addTea('chai')
    await shop.letTimePass(visitor)
    await visitor.confirm('/confirm?to=%2Fcart')
    const { text } = await visitor.get('/cart')
    expect(text).toContain('Station Chai')
    expect(text).toContain('Logged in as Ada')
  })
})

describe('the password again', () => {
  test('has to be right', async () => {
    const visitor = await loggedIn()
    await shop.letTimePass(visitor)
    const id = visitor.sessionId
    const refused = await visitor.confirm('/confirm?to=%2Faccount%2Fdelete', { password: 'wrong password' })
    expect(refused.status).toBe(401)
    expect(refused.text).toContain('That is not the password')
    // The next attempt still leads there.
    expect(refused.text).toContain('name="to" value="/account/delete"')
    // The id may have been renewed, as time has passed, but it was not replaced.
    expect(visitor.sessionId?.split('~')[0]).toBe(id)
    expect((await visitor.get('/account')).headers.location).toBe('/confirm?to=%2Faccount')
  })

  test("is one's own", async () => {
    const visitor = await loggedIn()
    const other = shop.newAddress()
    await new Visitor(shop.app).submit('/signup', '/signup', { name: 'Bob', email: other, password: 'battery staple' })
    await shop.letTimePass(visitor)
    expect((await visitor.confirm('/confirm', { email: other, password: 'battery staple' })).status).toBe(401)
  })

  test('is not asked for when it was typed just now', async () => {
    const visitor = await loggedIn()
    expect((await visitor.get('/confirm?to=%2Fcart')).headers.location).toBe('/cart')
  })

  test('is not asked of visitors who are not logged in', async () => {
    expect((await new Visitor(shop.app).get('/confirm')).headers.location).toBe('/login?to=%2Fconfirm')
  })

  test('gives a new token as well', async () => {
    const visitor = await loggedIn()
    const { token } = (await visitor.get('/csrf')).body
    await shop.letTimePass(visitor)
    await visitor.confirm('/confirm')
    expect((await visitor.post('/cart/add', { tea: 'chai', _csrf: token })).status).toBe(403)
  })
})

describe('after the password, nobody is led to another site', () => {
  const ELSEWHERE = [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/.//evil.example',
    '/\t/evil.example',
    '/%0d%0aLocation:%20https://evil.example',
    'javascript:alert(1)',
    'evil.example',
    '/account?next=//evil.example',
    '/cart\r\nSet-Cookie: sid=1',
  ]

  test.each(ELSEWHERE)('%j', async (to) => {
    const email = shop.newAddress()
    const visitor = await loggedIn(email)
    await shop.letTimePass(visitor)
    const page = await visitor.get(`/confirm?${new URLSearchParams({ to })}`)
    expect(page.text).toContain('name="to" value="/account"')
    expect((await visitor.confirm('/confirm', { to })).headers.location).toBe('/account')
    const login = await new Visitor(shop.app).logIn(email, 'correct horse', { to })
    expect(login.headers.location).toBe('/')
  })
})
