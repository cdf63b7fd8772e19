import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endSession, secureSession } from 'connect-redis-hash'
import express from 'express'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { selfSigned } from '../support/bound-chromium.js'
import { CHROMIUM } from '../support/chromium.js'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'
import { type App, options } from './site.js'

const directory = mkdtempSync(join(tmpdir(), 'logout-site-'))
const installed = CHROMIUM
const certificate = installed === undefined ? undefined : selfSigned(directory)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

if (installed === undefined || certificate === undefined) {
  test.skip('a logout in a real browser: skipped, there is no Chromium (set CHROMIUM_PATH), or no openssl', () => {})
} else {
  describe('a logout in Chromium', () => inChromium(installed, certificate))
}

function inChromium(executablePath: string, tls: object): void {
  const client = connect()
  const sessions = secureSession(options({ client, prefix: freshPrefix() }))
  let server: Server
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let origin: string

  beforeAll(async () => {
    server = createServer(tls, application(sessions)).listen(0)
    origin = `https://shop.test:${(server.address() as AddressInfo).port}`
    // Containers have no room for a sandbox, and the pages are our own.
    const args = ['--no-sandbox', '--host-resolver-rules=MAP *.test 127.0.0.1']
    // The driver switches the back button's cache off.
    const ignoreDefaultArgs = ['--disable-back-forward-cache']
    browser = await chromium.launch({ executablePath, args, ignoreDefaultArgs })
  })
  afterAll(async () => {
    await browser?.close()
    server.closeAllConnections()
    server.close()
    await sessions.store.clear()
    await client.quit()
  })
  beforeEach(async () => {
    context = await browser.newContext({ ignoreHTTPSErrors: true })
    page = await context.newPage()
    await page.goto(`${origin}/login`)
    await page.evaluate('localStorage.setItem("draft", "a letter"); document.cookie = "theme=dark; Secure"')
    // A script's cookie arrives a little later.
    await until('both cookies are there', async () => (await names()).length === 2)
  })
  afterEach(() => context.close())

  /** A page out of the back button's cache does not load again. */
  const back = () => page.goBack({ waitUntil: 'commit' })
  const names = async () => (await context.cookies(origin)).map(({ name }) => name).toSorted()

  test.each(['/destroy', '/end-session', '/max-age'])(
    'by %s takes the __Host- cookie, and nothing else',
    async (way) => {
      expect(await names()).toEqual(['__Host-sid', 'theme'])
      await page.goto(origin + way)
      expect(await names()).toEqual(['theme'])
      expect(await page.evaluate('localStorage.getItem("draft")')).toBe('a letter')
    },
  )

  test('that clears the site data takes all cookies and the storage', async () => {
    await page.goto(`${origin}/clear`)
    expect(await names()).toEqual([])
    expect(await page.evaluate('localStorage.getItem("draft")')).toBeNull()
  })

  test.each(['/destroy', '/end-session'])('by %s leaves the back button no page of the user', async (way) => {
    await page.goto(`${origin}/account`)
    expect(await page.textContent('body')).toBe('account of ada')
    await page.goto(origin + way)
    await back()
    expect(page.url()).toBe(`${origin}/account`)
    await page.waitForFunction('document.body?.textContent.startsWith("account of")')
    expect(await page.textContent('body')).toBe('account of nobody')
  })

  test('leaves the back button a page whose handler allows caches to keep it', async () => {
    await page.goto(`${origin}/help`)
    const before = await page.textContent('body')
    await page.goto(`${origin}/destroy`)
    await back()
    expect(await page.textContent('body')).toBe(before)
  })
}

function application(sessions: App): express.Express {
  const app = express()
  let count = 0
  app.get('/favicon.ico', (_req, res) => void res.status(204).end())
  app.use(sessions)
  app.get('/login', (req, res) => {
    ;(req.session as App).userId = 'ada'
    res.send('hello')
  })
  app.get('/account', (req, res) => void res.send(`account of ${(req.session as App).userId ?? 'nobody'}`))
  app.get('/help', (_req, res) => void res.set('Cache-Control', 'max-age=60').send(`help ${++count}`))
  app.get('/destroy', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.send('bye')))
  })
  app.get('/end-session', async (req, res) => {
    await endSession(req, res)
    res.send('bye')
  })
  app.get('/clear', async (req, res) => {
    await endSession(req, res, { clearSiteData: true })
    res.send('bye')
  })
  app.get('/max-age', (req, res) => {
    req.session.cookie.maxAge = 0
    ;(req.session as App).last = 'words'
    res.send('bye')
  })
  return app
}
