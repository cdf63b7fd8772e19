import supertest from 'supertest'
import { createApp } from '../../example-app/app.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from './visitor.js'

const client = connect()
const namespace = freshPrefix()
const app = createApp({ client, secret: 'a secret for tests', namespace })
let people = 0

const newAddress = () => `person${++people}@example.org`
const keys = (pattern: string) => client.keys(namespace + pattern)
const sessionOf = (visitor: Visitor) => client.hgetall(`${namespace}sess:${visitor.sessionId}`)

afterAll(async () => {
  const left = await keys('*')
  if (left.length > 0) await client.del(left)
  await client.quit()
})

describe('a visitor who only looks', () => {
  test('leaves nothing in Redis and gets no cookie', async () => {
    const before = (await keys('*')).length
    for (const path of ['/', '/cart', '/session', '/nothing']) {
      const response = await supertest(app).get(path)
      expect(response.headers['set-cookie']).toBeUndefined()
    }
    expect(await keys('*')).toHaveLength(before)
  })
})

describe('signing up and logging in', () => {
  test('signs up, logs out, logs in again', async () => {
    const email = newAddress()
    const visitor = new Visitor(app)
    expect((await visitor.signUp('Ada', email)).headers.location).toBe('/')
    expect((await visitor.get('/')).text).toContain('Hello Ada')

    const atHome = visitor.sessionId
    expect((await visitor.submit('/', '/logout')).headers.location).toBe('/?bye=1')
    expect(await client.exists(`${namespace}sess:${atHome}`)).toBe(0)
    expect((await visitor.get('/')).text).toContain('Log in')

    expect((await visitor.logIn(email.toUpperCase())).status).toBe(303)
    expect((await visitor.get('/')).text).toContain('Welcome back, Ada')
  })

  test('changes the session id', async () => {
    const visitor = new Visitor(app)
    await visitor.get('/signup')
    const before = visitor.sessionId
    await visitor.signUp('Grace', newAddress())
    expect(before).toBeDefined()
    expect(visitor.sessionId).not.toBe(before)
    expect(await client.exists(`${namespace}sess:${before}`)).toBe(0)
  })

  test.each([
    ['wrong password', (email: string) => email, 'wrong password'],
    ['unknown address', () => 'nobody@example.org', 'correct horse'],
  ])('refuses with the same words: %s', async (_case, addressFor, password) => {
    const email = newAddress()
    await new Visitor(app).signUp('Ada', email)
    const visitor = new Visitor(app)
    const response = await visitor.logIn(addressFor(email), password)
    expect(response.status).toBe(401)
    expect(response.text).toContain('E-mail address or password is wrong.')
    expect(await sessionOf(visitor)).not.toHaveProperty('userId')
  })

  test('does not overwrite an account', async () => {
    const email = newAddress()
    await new Visitor(app).signUp('First', email)
    expect((await new Visitor(app).signUp('Second', ` ${email.toUpperCase()}`)).status).toBe(409)
    const visitor = new Visitor(app)
    await visitor.logIn(email)
    expect((await visitor.get('/')).text).toContain('Welcome back, First')
  })

  test('keeps no password in Redis', async () => {
    await new Visitor(app).signUp('Ada', newAddress())
    const accounts = await client.mget(await keys('shop:user:*'))
    expect(accounts.join()).not.toContain('correct horse')
    expect(accounts.join()).toContain('scrypt$32768$8$3$')
  })

  test('"stay logged in" lasts 30 days in the browser and in Redis; otherwise half an hour', async () => {
    const email = newAddress()
    const visitor = new Visitor(app)
    await visitor.signUp('Ada', email)
    expect(visitor.cookie).not.toContain('Expires')
    expect(await client.ttl(`${namespace}sess:${visitor.sessionId}`)).toBeGreaterThan(29 * 60)

    const remembered = new Visitor(app)
    await remembered.logIn(email, 'correct horse', { remember: 'on' })
    expect(remembered.cookie).toMatch(/Expires=.*HttpOnly; SameSite=Lax/)
    expect(await client.ttl(`${namespace}sess:${remembered.sessionId}`)).toBeGreaterThan(29 * 86_400)
  })

  test('never leads to another site', async () => {
    const email = newAddress()
    await new Visitor(app).signUp('Ada', email)
    const response = await new Visitor(app).logIn(email, 'correct horse', { to: '//evil.example' })
    expect(response.headers.location).toBe('/')
  })
})

describe('the basket', () => {
  test('comes along at login', async () => {
    const visitor = new Visitor(app)
    await visitor.addTea('chai')
    await visitor.addTea('chai')
    await visitor.addTea('oolong')
    await visitor.signUp('Ada', newAddress())
    expect(await sessionOf(visitor)).toMatchObject({ cart: '{"chai":2,"oolong":1}' })
    expect((await visitor.get('/cart')).text).toContain('€27.80')
  })

  test('changes quantities, drops a tea at 0, and empties', async () => {
    const visitor = new Visitor(app)
    await visitor.addTea('chai')
    await visitor.addTea('oolong')
    await visitor.submit('/cart', '/cart/update', { tea: 'chai', quantity: '5' })
    await visitor.submit('/cart', '/cart/update', { tea: 'oolong', quantity: '0' })
    expect(await sessionOf(visitor)).toMatchObject({ cart: '{"chai":5}' })
    await visitor.submit('/cart', '/cart/empty')
    expect(await sessionOf(visitor)).not.toHaveProperty('cart')
  })

  test('holds only teas that exist, in sensible numbers', async () => {
    const visitor = new Visitor(app)
    await visitor.addTea('chai')
    expect((await visitor.submit('/cart', '/cart/add', { tea: '__proto__' })).status).toBe(404)
    expect((await visitor.submit('/cart', '/cart/update', { tea: 'chai', quantity: '-3' })).status).toBe(404)
    await visitor.submit('/cart', '/cart/update', { tea: 'chai', quantity: '999' })
    expect(await sessionOf(visitor)).toMatchObject({ cart: '{"chai":20}' })
  })

  test('asks for a login before an order', async () => {
    const visitor = new Visitor(app)
    await visitor.addTea('chai')
    expect((await visitor.submit('/cart', '/cart/order')).headers.location).toBe('/login?to=cart')
  })
})

describe('forms', () => {
  test.each(['/login', '/signup', '/logout', '/cart/add', '/cart/update', '/cart/empty', '/cart/order'])(
    'POST %s without a token is refused and stores nothing',
    async (action) => {
      const before = (await keys('*')).length
      const response = await new Visitor(app).post(action, { tea: 'chai' })
      expect(response.status).toBe(403)
      expect(response.text).toContain('open for too long')
      expect(await keys('*')).toHaveLength(before)
    },
  )

  test("another visitor's token is refused", async () => {
    const [one, other] = [new Visitor(app), new Visitor(app)]
    const { token } = (await one.get('/csrf')).body
    await other.get('/csrf')
    expect((await other.post('/cart/add', { tea: 'chai', _csrf: token })).status).toBe(403)
    expect((await one.post('/cart/add', { tea: 'chai', _csrf: token })).status).toBe(303)
  })

  test('the token is also taken from a header', async () => {
    const agent = supertest.agent(app)
    const { text } = await agent.get('/csrf').accept('text/plain')
    const response = await agent.post('/cart/add').set('x-csrf-token', text).type('form').send({ tea: 'chai' })
    expect(response.status).toBe(303)
  })
})

describe('pages', () => {
  test('/session shows every field but neither the id nor the token', async () => {
    const visitor = new Visitor(app)
    await visitor.addTea('chai')
    await visitor.signUp('Ada', newAddress())
    await visitor.get('/')
    const { text } = await visitor.get('/session')
    const stored = await sessionOf(visitor)
    for (const field of ['@', 'userId', 'name', 'cart', 'views', 'csrfToken']) {
      expect(stored).toHaveProperty([field])
      expect(text).toContain(`<code>${field}</code>`)
    }
    expect(text).toContain('bookkeeping')
    expect(text).toMatch(/data-seconds="1\d\d\d"/)
    expect(text).not.toContain(visitor.sessionId)
    // Once in the hidden field of the logout form, where it belongs.
    expect(text.split(JSON.parse(stored.csrfToken!))).toHaveLength(2)
  })

  test('what a visitor types is text, never markup', async () => {
    const visitor = new Visitor(app)
    await visitor.signUp('<script>alert(1)</script>"\'', newAddress())
    for (const path of ['/', '/cart', '/session', '/nothing']) {
      const { text } = await visitor.get(path)
      expect(text).not.toContain('<script>alert')
      expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    }
  })

  test('have a strict content security policy, and nothing inline that would need a weaker one', async () => {
    const { headers, text } = await new Visitor(app).get('/login')
    expect(headers['content-security-policy']).toContain("script-src 'self'")
    expect(headers['content-security-policy']).not.toContain('unsafe')
    expect(text).not.toMatch(/<style|style="|<script(?! src)|\son\w+="/)
    expect(headers['cache-control']).toBe('no-store')
  })

  test('errors are friendly, and JSON for programs', async () => {
    expect((await supertest(app).get('/nothing')).text).toContain('Nothing steeping here')
    const response = await supertest(app).post('/logout').accept('json')
    expect(response.status).toBe(403)
    expect(response.body).toEqual({ error: 'This page was open for too long' })
  })

  test('without Redis the answer is a 503 that says so and tells nothing else', async () => {
    const gone = connect({ retryStrategy: () => null, maxRetriesPerRequest: 0 })
    gone.disconnect()
    const log = jest.spyOn(console, 'error').mockImplementation(() => {})
    try {
      const visitor = new Visitor(app)
      await visitor.addTea('chai')
      const broken = createApp({ client: gone, secret: 'a secret for tests', namespace })
      const response = await supertest(broken).get('/').set('Cookie', visitor.cookie.split(';')[0]!)
      expect(response.status).toBe(503)
      expect(response.text).toContain('The kettle is off')
      for (const text of [response.text, log.mock.calls.join()]) expect(text).not.toContain(visitor.sessionId)
    } finally {
      log.mockRestore()
    }
  })
})
