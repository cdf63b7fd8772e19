import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SecureSessionOptions, secureSession } from 'connect-redis-hash'
import express from 'express'
import type { BrowserContext, Page } from 'playwright-core'
import { BoundChromium, type Certificate, selfSigned } from '../../support/bound-chromium.js'
import { CHROMIUM } from '../../support/chromium.js'
import { connect, freshPrefix } from '../../support/redis.js'
import { ANY_CHANNEL } from '../../support/server.js'
import { until } from '../../support/until.js'
import { type Bag, SECRET } from './site.js'

const directory = mkdtempSync(join(tmpdir(), 'bound-site-'))
const installed = CHROMIUM
const certificate = installed === undefined ? undefined : selfSigned(directory)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

if (installed === undefined || certificate === undefined) {
  test.skip('a bound session in a real browser: skipped, there is no Chromium (set CHROMIUM_PATH), or no openssl', () => {})
} else {
  describe('a bound session in Chromium', () => inChromium(installed, certificate))
}

/** Seconds that a bound cookie lasts. */
const EVERY = 3

function inChromium(executablePath: string, tls: Certificate): void {
  const admin = connect()
  const username = 'bound-site'
  const prefix = freshPrefix()
  let client: ReturnType<typeof connect>
  let sessions: Bag
  let server: Server
  let port = 0
  let chromium: BoundChromium
  let page: Page
  let context: BrowserContext
  const events: string[] = []

  async function open(): Promise<void> {
    client = connect({ username, password: 'p', maxRetriesPerRequest: 1 })
    const options = {
      client,
      prefix,
      secret: SECRET,
      user: (held: Bag) => held.userId,
      device: { every: EVERY, grace: 1 },
      // The session cookie survives a restart of the browser.
      cookie: { maxAge: 600_000 },
    }
    sessions = secureSession(options as SecureSessionOptions)
    for (const name of ['bound', 'unbound', 'device-mismatch']) sessions.store.on(name, () => void events.push(name))
    server = createServer(
      tls,
      application(sessions, () => origin('other.test')),
    )
    await new Promise<void>((resolve) => {
      server.listen(port, resolve)
    })
    port = (server.address() as AddressInfo).port
  }

  async function shut(): Promise<void> {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await sessions.store.close()
    client.disconnect()
  }

  const origin = (host = 'shop.test') => `https://${host}:${port}`
  const registered = (count: number) => until('the registration', () => chromium.count('creationEventDetails') >= count)

  /** Whose page it is, in this tab. */
  async function user(tab = page): Promise<string> {
    await tab.goto(`${origin()}/me`)
    return (await tab.textContent('body')) ?? ''
  }

  async function logIn(name: string): Promise<void> {
    const before = chromium.count('creationEventDetails')
    await page.goto(`${origin()}/login/${name}`)
    await registered(before + 1)
  }

  /** The bound cookie has ended, by the browser's clock. */
  const cookieEnds = () =>
    until('the end of the cookie', async () =>
      (await context.cookies(origin())).every(({ name }) => name !== '__Host-device'),
    )

  beforeAll(async () => {
    await admin.acl('SETUSER', username, 'on', '>p', '~*', ...ANY_CHANNEL, '+@all')
    await open()
    chromium = await BoundChromium.start(executablePath, tls)
    page = chromium.page
    context = chromium.context
  })
  afterAll(async () => {
    await chromium?.close()
    await sessions.store.clear()
    await shut()
    await admin.acl('DELUSER', username)
    await admin.quit()
  })
  beforeEach(async () => {
    await page.goto('about:blank')
    await sessions.store.clear()
    await chromium.cdp.send('Storage.clearDataForOrigin', { origin: origin(), storageTypes: 'all' })
    await context.clearCookies()
    events.length = 0
    chromium.events.length = 0
  })

  test('is registered at the login, and refreshed whenever its cookie has ended', async () => {
    await logIn('ada')
    for (let i = 0; i < 2; i++) {
      expect(await user()).toBe('ada bound fresh')
      await page.goto('about:blank')
      await cookieEnds()
    }
    expect(await user()).toBe('ada bound fresh')
    expect(chromium.count('refreshEventDetails')).toBeGreaterThan(0)
    expect(chromium.events.filter(({ succeeded }) => !succeeded)).toEqual([])
    expect(events).toEqual(['bound'])
  })

  test('is of use for seconds to a thief with the whole jar, and the owner notices nothing', async () => {
    await logIn('ada')
    expect(await user()).toBe('ada bound fresh')
    const thief = await BoundChromium.start(executablePath, tls)
    await thief.context.addCookies(await context.cookies(origin()))
    // For as long as the thief's copy lasts, it works.
    await until('the end of the theft', async () => (await user(thief.page)).startsWith('nobody'))
    for (let i = 0; i < 3; i++) expect(await user(thief.page)).toMatch(/^nobody/)
    expect(await user()).toBe('ada bound fresh')
    expect(events).toContain('unbound')
    await thief.close()
  })

  test('is refreshed by two tabs at once', async () => {
    await logIn('ada')
    const other = await context.newPage()
    await user(other)
    for (let i = 0; i < 2; i++) {
      await Promise.all([page, other].map((tab) => tab.goto('about:blank')))
      await cookieEnds()
      expect(await Promise.all([user(), user(other)])).toEqual(['ada bound fresh', 'ada bound fresh'])
    }
    expect(events).toEqual(['bound'])
    await other.close()
  })

  test('goes on after Redis was away during a refresh', async () => {
    await logIn('ada')
    expect(await user()).toBe('ada bound fresh')
    await page.goto('about:blank')
    await cookieEnds()
    await admin.acl('SETUSER', username, '-evalsha', '-eval')
    expect(await user()).not.toContain('ada')
    await admin.acl('SETUSER', username, '+@all')
    await until('the refresh', async () => (await user()) === 'ada bound fresh', { timeoutMs: 30_000 })
    expect(events.filter((name) => name !== 'unbound')).toEqual(['bound'])
  })

  test('goes on after a restart of the server', async () => {
    await logIn('ada')
    expect(await user()).toBe('ada bound fresh')
    await page.goto('about:blank')
    await shut()
    await open()
    await cookieEnds()
    expect(await user()).toBe('ada bound fresh')
  })

  test('goes on after a restart of the browser', async () => {
    await logIn('ada')
    expect(await user()).toBe('ada bound fresh')
    await page.goto('about:blank')
    await cookieEnds()
    const profile = await chromium.stop()
    chromium = await BoundChromium.start(executablePath, tls, profile)
    page = chromium.page
    context = chromium.context
    expect(await user()).toBe('ada bound fresh')
    expect(events).toEqual(['bound'])
  })

  test('ends with the logout, and a login as somebody else begins another one', async () => {
    await logIn('ada')
    expect(await user()).toBe('ada bound fresh')
    await page.goto(`${origin()}/logout`)
    expect((await context.cookies(origin())).map(({ name }) => name)).not.toContain('__Host-device')
    expect(await user()).toBe('nobody unbound')
    await logIn('bob')
    expect(await user()).toBe('bob bound fresh')
    await logIn('ada')
    expect(await user()).toBe('ada bound fresh')
    await page.goto('about:blank')
    await cookieEnds()
    expect(await user()).toBe('ada bound fresh')
    expect(events).toEqual(['bound', 'bound', 'bound'])
  })

  test('needs a new login once the key is lost', async () => {
    await logIn('ada')
    expect(await user()).toBe('ada bound fresh')
    const jar = await context.cookies(origin())
    await page.goto('about:blank')
    await chromium.cdp.send('Storage.clearDataForOrigin', { origin: origin(), storageTypes: 'all' })
    await context.addCookies(jar.filter(({ name }) => name === '__Host-sid'))
    // Requests that were on their way at the registration are served for a second.
    await until('the end of the grace', async () => (await user()) === 'nobody bound')
    await logIn('ada')
    expect(await user()).toBe('ada bound fresh')
  })

  test('is recognised when another site leads here, fragment included', async () => {
    await logIn('ada')
    expect(await user()).toBe('ada bound fresh')
    await page.goto(`${origin('other.test')}/link`)
    await cookieEnds()
    await page.click('a')
    await page.waitForFunction('document.body?.textContent.includes("fresh")')
    expect(page.url()).toBe(`${origin()}/me?from=other#there`)
    expect(await page.textContent('body')).toBe('ada bound fresh')
    expect(events).toEqual(['bound'])
  })
}

function application(sessions: Bag, other: () => string): express.Express {
  const app = express()
  app.get('/favicon.ico', (_req, res) => void res.status(204).end())
  app.get('/link', (_req, res) => {
    res.type('html').send(`<a href="${other().replace('other', 'shop')}/me?from=other#there">shop</a>`)
  })
  app.use(sessions)
  app.get('/login/:user', (req, res) => {
    ;(req.session as Bag).userId = req.params.user
    res.redirect(303, '/me')
  })
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.send('bye')))
  })
  app.get('/me', (req, res) => {
    const { bound = false, fresh = false } = req.deviceSession ?? {}
    const words = [(req.session as Bag)?.userId ?? 'nobody', bound ? 'bound' : 'unbound', fresh ? 'fresh' : '']
    res.type('html').send(words.join(' ').trim())
  })
  return app
}
