import supertest from 'supertest'
import { createApp } from '../../example-app/app.js'
import { connect } from '../support/redis.js'
import { openShop } from './shop.js'
import { Visitor } from './visitor.js'

const shop = openShop()

afterAll(() => shop.close())

describe('forms', () => {
  test.each([
    '/login',
    '/signup',
    '/logout',
    '/cart/add',
    '/cart/update',
    '/cart/empty',
    '/cart/order',
    '/confirm',
    '/account',
    '/account/delete',
    '/pretend',
  ])('POST %s without a token is refused and stores nothing', async (action) => {
    const before = (await shop.keys('*')).length
    const response = await new Visitor(shop.app).post(action, { tea: 'chai' })
    expect(response.status).toBe(403)
    expect(response.text).toContain('open for too long')
    expect(await shop.keys('*')).toHaveLength(before)
  })

  test("another visitor's token is refused", async () => {
    const [one, other] = [new Visitor(shop.app), new Visitor(shop.app)]
    const { token } = (await one.get('/csrf')).body
    await other.get('/csrf')
    expect((await other.post('/cart/add', { tea: 'chai', _csrf: token })).status).toBe(403)
    expect((await one.post('/cart/add', { tea: 'chai', _csrf: token })).status).toBe(303)
  })

  test('the token is also taken from a header', async () => {
    const agent = supertest.agent(shop.app)
    const { text } = await agent.get('/csrf').accept('text/plain')
    const response = await agent.post('/cart/add').set('x-csrf-token', text).type('form').send({ tea: 'chai' })
    expect(response.status).toBe(303)
  })
})

describe('pages', () => {
  test('/session shows the key and every field, but neither the id nor the token', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    await visitor.signUp('Ada', shop.newAddress())
    await visitor.get('/')
    const { text } = await visitor.get('/session')
    const stored = await shop.sessionOf(visitor)
    expect(text).toContain(shop.keyOf(visitor))
    for (const field of [
      '@',
      '@login',
      '@ip4',
      '@ua',
      '@client',
      '@i:user',
      'userId',
      'name',
      'cart',
      'views',
      'csrfToken',
    ]) {
      expect(stored).toHaveProperty([field])
      expect(text).toContain(`<code>${field}</code>`)
    }
    expect(text).toContain('bookkeeping')
    expect(text).toMatch(/data-seconds="1\d\d\d"/)
    expect(text).not.toContain(visitor.sessionId)
    expect(await shop.client.object('ENCODING', shop.keyOf(visitor))).toMatch(/listpack|ziplist/)
    // The token belongs into the hidden fields of forms, and nowhere else.
    const token = JSON.parse(stored.csrfToken!)
    expect(text).toContain(`name="_csrf" value="${token}"`)
    expect(text.replaceAll(`name="_csrf" value="${token}"`, '')).not.toContain(token)
  })

  test('of a user all have a logout, and it works from each', async () => {
    const visitor = new Visitor(shop.app)
    const email = shop.newAddress()
    await visitor.signUp('Ada', email)
    for (const path of ['/', '/session', '/cart', '/account', '/account/delete', '/add/chai', '/login', '/nothing']) {
      const { text } = await visitor.get(path)
      expect([path, text.includes('action="/logout"')]).toEqual([path, true])
      const bye = await visitor.submit(path, '/logout')
      expect(bye.headers['set-cookie']).toEqual([expect.stringMatching(/^sid=; Path=\/; Expires=Thu, 01 Jan 1970/)])
      expect(bye.headers['cache-control']).toBe('no-store')
      expect((await visitor.get('/account')).status).toBe(303)
      await visitor.logIn(email)
    }
  })

  test('what a visitor types is text, never markup', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.signUp('<script>alert(1)</script>"\'', shop.newAddress())
    for (const path of ['/', '/cart', '/session', '/nothing']) {
      const { text } = await visitor.get(path)
      expect(text).not.toContain('<script>alert')
      expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    }
  })

  test('have a strict content security policy, and nothing inline that would need a weaker one', async () => {
    const { headers, text } = await new Visitor(shop.app).get('/login')
    expect(headers['content-security-policy']).toContain("script-src 'self'")
    expect(headers['content-security-policy']).not.toContain('unsafe')
    expect(text).not.toMatch(/<style|style="|<script(?! src)|\son\w+="/)
    expect(headers['cache-control']).toBe('no-store')
  })

  test('errors are friendly, and JSON for programs', async () => {
    expect((await supertest(shop.app).get('/nothing')).text).toContain('Nothing steeping here')
    const response = await supertest(shop.app).post('/logout').accept('json')
    expect(response.status).toBe(403)
    expect(response.body).toEqual({ error: 'This page was open for too long' })
  })

  test('without Redis the answer is a 503 that says so and tells nothing else', async () => {
    const gone = connect({ retryStrategy: () => null, maxRetriesPerRequest: 0 })
    gone.disconnect()
    const log = jest.spyOn(console, 'error').mockImplementation(() => {})
    try {
      const visitor = new Visitor(shop.app)
      await visitor.addTea('chai')
      const broken = createApp({ client: gone, secret: shop.secret, namespace: shop.namespace })
      const response = await supertest(broken)
        .get('/')
        .set('Cookie', visitor.cookie.split(';')[0] as string)
      expect(response.status).toBe(503)
      expect(response.text).toContain('The kettle is off')
      for (const text of [response.text, log.mock.calls.join()]) expect(text).not.toContain(visitor.sessionId)
    } finally {
      log.mockRestore()
    }
  })
})
