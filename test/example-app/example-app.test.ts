import supertest from 'supertest'
import { openShop } from './shop.js'
import { Visitor } from './visitor.js'

const shop = openShop()

afterAll(() => shop.close())

describe('a visitor who only looks', () => {
  test('leaves nothing in Redis and gets no cookie', async () => {
    const before = (await shop.keys('*')).length
    for (const path of ['/', '/cart', '/session', '/nothing']) {
      const response = await supertest(shop.app).get(path)
      expect(response.headers['set-cookie']).toBeUndefined()
    }
    expect(await shop.keys('*')).toHaveLength(before)
  })
})

describe('signing up and logging in', () => {
  test('signs up, logs out, logs in again', async () => {
    const email = shop.newAddress()
    const visitor = new Visitor(shop.app)
    expect((await visitor.signUp('Ada', email)).headers.location).toBe('/')
    expect((await visitor.get('/')).text).toContain('Hello Ada')

    const atHome = shop.keyOf(visitor)
    expect((await visitor.submit('/', '/logout')).headers.location).toBe('/?bye=1')
    expect(await shop.client.exists(atHome)).toBe(0)
    expect((await visitor.get('/')).text).toContain('Log in')

    expect((await visitor.logIn(email.toUpperCase())).status).toBe(303)
    expect((await visitor.get('/')).text).toContain('Welcome back, Ada')
  })

  test('changes the session id', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.get('/signup')
    const [idBefore, before] = [visitor.sessionId, shop.keyOf(visitor)]
    expect(await shop.client.exists(before)).toBe(1)
    await visitor.signUp('Grace', shop.newAddress())
    expect(visitor.sessionId).not.toBe(idBefore)
    expect(await shop.client.exists(before)).toBe(0)
  })

  test.each([
    ['wrong password', (email: string) => email, 'wrong password'],
    ['unknown address', () => 'nobody@example.org', 'correct horse'],
  ])('refuses with the same words: %s', async (_case, addressFor, password) => {
    const email = shop.newAddress()
    await new Visitor(shop.app).signUp('Ada', email)
    const visitor = new Visitor(shop.app)
    const response = await visitor.logIn(addressFor(email), password)
    expect(response.status).toBe(401)
    expect(response.text).toContain('E-mail address or password is wrong.')
    expect(await shop.sessionOf(visitor)).not.toHaveProperty('userId')
  })

  test('does not overwrite an account', async () => {
    const email = shop.newAddress()
    await new Visitor(shop.app).signUp('First', email)
    expect((await new Visitor(shop.app).signUp('Second', ` ${email.toUpperCase()}`)).status).toBe(409)
    const visitor = new Visitor(shop.app)
    await visitor.logIn(email)
    expect((await visitor.get('/')).text).toContain('Welcome back, First')
  })

  test('keeps no password in Redis', async () => {
    await new Visitor(shop.app).signUp('Ada', shop.newAddress())
    const keys = await shop.keys('shop:user:*')
    const accounts = await Promise.all(keys.map((key) => shop.client.get(key)))
    expect(accounts.join()).not.toContain('correct horse')
    expect(accounts.join()).toContain('scrypt$32768$8$3$')
  })

  test('"stay logged in" lasts 30 days in the browser and in Redis; otherwise half an hour', async () => {
    const email = shop.newAddress()
    const visitor = new Visitor(shop.app)
    await visitor.signUp('Ada', email)
    expect(visitor.cookie).not.toContain('Expires')
    expect(await shop.client.ttl(shop.keyOf(visitor))).toBeGreaterThan(29 * 60)

    const remembered = new Visitor(shop.app)
    await remembered.logIn(email, 'correct horse', { remember: 'on' })
    expect(remembered.cookie).toMatch(/Expires=.*HttpOnly; SameSite=Lax/)
    expect(await shop.client.ttl(shop.keyOf(remembered))).toBeGreaterThan(29 * 86_400)
  })

  test('never leads to another site', async () => {
    const email = shop.newAddress()
    await new Visitor(shop.app).signUp('Ada', email)
    const response = await new Visitor(shop.app).logIn(email, 'correct horse', { to: '//evil.example' })
    expect(response.headers.location).toBe('/')
  })
})

describe('the basket', () => {
  test('comes along at login', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    await visitor.addTea('chai')
    await visitor.addTea('oolong')
    await visitor.signUp('Ada', shop.newAddress())
    expect(await shop.sessionOf(visitor)).toMatchObject({ cart: '{"chai":2,"oolong":1}' })
    expect((await visitor.get('/cart')).text).toContain('€27.80')
  })

  test('changes quantities, drops a tea at 0, and empties', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    await visitor.addTea('oolong')
    await visitor.submit('/cart', '/cart/update', { tea: 'chai', quantity: '5' })
    await visitor.submit('/cart', '/cart/update', { tea: 'oolong', quantity: '0' })
    expect(await shop.sessionOf(visitor)).toMatchObject({ cart: '{"chai":5}' })
    await visitor.submit('/cart', '/cart/empty')
    expect(await shop.sessionOf(visitor)).not.toHaveProperty('cart')
  })

  test('holds only teas that exist, in sensible numbers', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    expect((await visitor.submit('/cart', '/cart/add', { tea: '__proto__' })).status).toBe(404)
    expect((await visitor.submit('/cart', '/cart/update', { tea: 'chai', quantity: '-3' })).status).toBe(404)
    await visitor.submit('/cart', '/cart/update', { tea: 'chai', quantity: '999' })
    expect(await shop.sessionOf(visitor)).toMatchObject({ cart: '{"chai":20}' })
  })

  test('asks for a login before an order', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    expect((await visitor.submit('/cart', '/cart/order')).headers.location).toBe('/login?to=%2Fcart')
  })
})
