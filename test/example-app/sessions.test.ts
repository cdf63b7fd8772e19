import { openShop } from './shop.js'
import { IPHONE, Visitor } from './visitor.js'

const shop = openShop()

afterAll(() => shop.close())

async function loggedIn(): Promise<Visitor> {
  const visitor = new Visitor(shop.app)
  await visitor.signUp('Ada', shop.newAddress())
  await visitor.get('/')
  return visitor
}

describe('after a login', () => {
  test('the next page, and no other, shows the name that the session had before and the one it has now', async () => {
    const email = shop.newAddress()
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    const before = await shop.nameOf(visitor)
    await visitor.signUp('Ada', email)
    const now = await shop.nameOf(visitor)
    expect(now).not.toBe(before)
    const { text } = await visitor.get('/')
    expect(text).toContain('Your session got a new name')
    expect(text).toContain(`<del>${before}</del>`)
    expect(text).toContain(`<code>${now}</code>`)
    expect(text).not.toContain(visitor.sessionId)
    expect((await visitor.get('/')).text).not.toContain('Your session got a new name')
  })

  test('/session goes on telling both', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.get('/login')
    const before = await shop.nameOf(visitor)
    await visitor.signUp('Ada', shop.newAddress())
    const { text } = await visitor.get('/session')
    expect(text).toContain(`<del>${before}</del>`)
    expect(text).toContain('until you logged in')
    expect(text).toContain(await shop.nameOf(visitor))
    expect(text).toContain('has not been renewed yet')
  })

  test('a cookie that somebody planted before is worth nothing', async () => {
    const victim = new Visitor(shop.app)
    await victim.addTea('chai')
    const attacker = victim.copy()
    await victim.signUp('Ada', shop.newAddress())
    expect((await attacker.get('/')).text).toContain('Sign up')
    expect((await attacker.get('/cart')).text).toContain('There is nothing in it yet')
  })

  test('a token that somebody planted before is worth nothing either', async () => {
    const victim = new Visitor(shop.app)
    const { token } = (await victim.get('/csrf')).body
    await victim.signUp('Ada', shop.newAddress())
    expect((await victim.post('/cart/add', { tea: 'chai', _csrf: token })).status).toBe(403)
  })
})

describe('the session id', () => {
  test('is renewed while it is in use, and /session says when', async () => {
    const visitor = await loggedIn()
    const [id, name] = [visitor.sessionId, await shop.nameOf(visitor)]
    await shop.letTimePass(visitor)
    // The answer renews the id, so the next page is the first that knows.
    await visitor.get('/')
    expect(visitor.sessionId).not.toBe(id)
    const { text } = await visitor.get('/session')
    expect(await shop.nameOf(visitor)).toBe(name)
    expect(text).toMatch(/was renewed <strong>\d s ago<\/strong>, once so far/)
    const secret = (await shop.sessionOf(visitor))['@renew']?.split(' ')[4]
    expect(text).not.toContain(secret)
    expect(text).not.toContain(visitor.sessionId)
  })
})

describe('a session that is opened in another browser', () => {
  test('goes on shopping, and is told on every page', async () => {
    const visitor = await loggedIn()
    expect((await visitor.get('/')).text).not.toContain('opened in another browser')
    const other = visitor.copy({ 'User-Agent': IPHONE })
    expect((await other.addTea('chai')).status).toBe(303)
    const { text } = await other.get('/cart')
    expect(text).toContain('This session was opened in another browser')
    expect(text).toContain('href="/confirm?to=%2Fcart"')
    expect((await other.get('/session')).text).toContain('another browser')
  })

  test('is asked for the password before the account, and comes back to it with another session', async () => {
    const visitor = await loggedIn()
    const other = visitor.copy({ 'User-Agent': IPHONE })
    const { headers } = await other.get('/account')
    expect(headers.location).toBe('/confirm?to=%2Faccount')
    const page = await other.get(headers.location as string)
    expect(page.status).toBe(200)
    expect(page.text).toContain('This session was opened in another browser')
    const [id, name] = [other.sessionId, await shop.nameOf(other)]

    const confirmed = await other.confirm(headers.location as string)
    expect([confirmed.status, confirmed.headers.location]).toEqual([303, '/account'])
    expect(other.sessionId).not.toBe(id)
    const account = await other.get('/account')
    expect(account.status).toBe(200)
    expect(account.text).not.toContain('opened in another browser')
    expect(account.text).toContain(`<del>${name}</del>`)
    // The browser that opened the session has lost it.
    expect((await visitor.get('/')).text).toContain('Sign up')
  })

  test('asks its first browser, too', async () => {
    const visitor = await loggedIn()
    expect((await visitor.get('/account')).status).toBe(200)
    await visitor.copy({ 'User-Agent': IPHONE }).get('/')
    expect((await visitor.get('/account')).headers.location).toBe('/confirm?to=%2Faccount')
  })

  test('can be tried out with one button, until the visitor has enough', async () => {
    const visitor = await loggedIn()
    const start = await visitor.submit('/session', '/pretend', { be: 'another' })
    expect(start.headers.location).toBe('/account')
    expect((await visitor.get('/account')).headers.location).toBe('/confirm?to=%2Faccount')
    expect((await visitor.get('/')).text).toContain('You pretend to be another browser')
    const stop = await visitor.submit('/', '/pretend', { be: 'myself' })
    expect(stop.headers.location).toBe('/session')
    expect((await visitor.get('/')).text).not.toContain('another browser')
  })
})

describe('a session that comes from another browser and another network at once', () => {
  const tls = openShop({ behindTls: true })
  const at = (ip: string) => ({ 'X-Forwarded-For': ip, 'X-Forwarded-Proto': 'https' })

  afterAll(() => tls.close())

  test('is ended, and the visitor told so at the login', async () => {
    const visitor = new Visitor(tls.app, at('192.0.2.1'))
    await visitor.signUp('Ada', tls.newAddress())
    expect(visitor.cookie).toMatch(/^__Host-sid=.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    const thief = visitor.copy({ ...at('198.51.100.1'), 'User-Agent': IPHONE })
    const { status, headers } = await thief.get('/account')
    expect([status, headers.location]).toEqual([303, '/login?to=%2Faccount'])
    const { text } = await thief.get('/login')
    expect(text).toContain('We ended your session')
    expect(text).toContain('Sign up')
    expect((await visitor.get('/')).text).toContain('Sign up')
  })

  test('is ended for programs as well, which are not sent to a page', async () => {
    const visitor = new Visitor(tls.app, at('192.0.2.1'))
    await visitor.signUp('Ada', tls.newAddress())
    const key = tls.keyOf(visitor)
    const program = visitor.copy({ ...at('198.51.100.1'), 'User-Agent': 'curl/8.5.0', Accept: 'application/json' })
    expect((await program.get('/csrf')).status).toBe(200)
    expect(await tls.client.exists(key)).toBe(0)
  })

  test('another network alone changes nothing', async () => {
    const visitor = new Visitor(tls.app, at('192.0.2.1'))
    await visitor.signUp('Ada', tls.newAddress())
    const onTheTrain = visitor.copy(at('198.51.100.1'))
    expect((await onTheTrain.get('/account')).status).toBe(200)
    expect((await onTheTrain.get('/session')).text).toContain('another network')
  })
})
