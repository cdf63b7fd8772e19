import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RedisStore, type SessionRouterTexts } from 'connect-redis-hash'
import helmet from 'helmet'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { axeFaults } from '../support/axe.js'
import { CHROMIUM, takeShot } from '../support/chromium.js'
import { connect, freshPrefix } from '../support/redis.js'
import { MOUNT, site } from './site.js'

const NARROW = { width: 390, height: 844 }
const WIDE = { width: 1280, height: 800 }
const ARABIC: Partial<SessionRouterTexts> = {
  title: 'أجهزتك',
  lead: 'هذه هي الأجهزة التي سجّلت الدخول منها. إذا لم تتعرّف على أحدها، فسجّل خروجه وغيّر كلمة المرور.',
  back: 'رجوع',
  thisDevice: 'هذا الجهاز',
  inUse: 'قيد الاستخدام الآن',
  lastSeen: (when) => `آخر ظهور ${when}`,
  justNow: 'قبل لحظات',
  since: (date) => `منذ ${date}`,
  number: (name) => `رقم ${name}`,
  logOut: 'تسجيل الخروج',
  logOutOthers: () => 'تسجيل خروج الجهاز الآخر',
  ended: () => 'تم تسجيل خروج جهاز واحد.',
}

if (CHROMIUM === undefined) {
  test.skip('the page in a real browser: skipped, no Chromium is installed (set CHROMIUM_PATH)', () => {})
} else {
  describe('the page in Chromium', () => inChromium(CHROMIUM as string))
}

function inChromium(executablePath: string): void {
  const client = connect()
  const store = new RedisStore({ client, prefix: freshPrefix(), indexes: { user: (held) => held.userId } })
  let server: Server
  let browser: Browser
  /**
   * A name other than localhost, which browsers trust as if it had TLS: requests to this one carry no Sec-Fetch-Site.
   */
  let plain: string
  let trusted: string
  /** What the policies have kept from working. */
  const refused: string[] = []

  beforeAll(async () => {
    // helmet's policies, one of them `Referrer-Policy: no-referrer`, are what applications have. They insist on TLS.
    const directives = { upgradeInsecureRequests: null }
    server = site(store, {
      before: [helmet({ contentSecurityPolicy: { directives } }) as never],
      back: '/whoami',
      lang: ({ url }) => new URLSearchParams(url?.split('?')[1]).get('lang'),
      texts: (lang) => (lang === 'ar' ? ARABIC : undefined),
    })
    const { port } = server.address() as AddressInfo
    plain = `http://shop.test:${port}`
    trusted = `http://localhost:${port}`
    // Containers have no room for a sandbox, and the pages are our own.
    browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--host-resolver-rules=MAP shop.test 127.0.0.1'],
    })
  })
  afterAll(async () => {
    await browser?.close()
    server.close()
    await store.clear()
    await client.quit()
  })

  async function loggedIn(origin: string, viewport = WIDE): Promise<{ context: BrowserContext; page: Page }> {
    const context = await browser.newContext({ viewport, javaScriptEnabled: false })
    const page = await context.newPage()
    page.on('console', (message) => {
      if (/Content Security Policy|MIME/i.test(message.text())) refused.push(message.text())
    })
    await page.goto(`${origin}/login/ada`)
    return { context, page }
  }

  test.each([
    ['plain HTTP, with Origin only', () => plain],
    ['a trusted origin, with Sec-Fetch-Site', () => trusted],
  ])('over %s, one browser logs another out, which is anonymous at its next page', async (_what, at) => {
    const origin = at()
    const [here, there] = [await loggedIn(origin), await loggedIn(origin)]
    await there.page.goto(`${origin}/whoami`)
    expect(await there.page.textContent('body')).toBe('ada')
    await here.page.goto(`${origin}${MOUNT}`)
    expect(await here.page.locator('.device').count()).toBe(2)
    // By keyboard, over the link back and the own session, to the other one.
    for (let i = 0; i < 3; i++) await here.page.keyboard.press('Tab')
    await Promise.all([here.page.waitForURL(`${origin}${MOUNT}/?ended=1`), here.page.keyboard.press('Enter')])
    expect(await here.page.getByRole('status').textContent()).toBe('One device was logged out.')
    expect(await here.page.locator('.device').count()).toBe(1)
    expect(await here.page.textContent('.alone')).toBe('You are logged in nowhere else.')
    await there.page.goto(`${origin}/whoami`)
    expect(await there.page.textContent('body')).toBe('nobody')
    await here.page.goto(`${origin}/whoami`)
    expect(await here.page.textContent('body')).toBe('ada')
    await Promise.all([here.context.close(), there.context.close()])
    await store.clear()
  })

  test('all others are logged out with one button', async () => {
    const [here, ...others] = [await loggedIn(trusted), await loggedIn(trusted), await loggedIn(trusted)]
    await here.page.goto(`${trusted}${MOUNT}`)
    await here.page.getByRole('button', { name: 'Log out the 2 other devices' }).click()
    await here.page.waitForURL(`${trusted}${MOUNT}/?ended=2`)
    expect(await here.page.getByRole('status').textContent()).toBe('2 devices were logged out.')
    for (const { page } of others) {
      await page.goto(`${trusted}/whoami`)
      expect(await page.textContent('body')).toBe('nobody')
    }
    await store.clear()
  })

  describe.each([
    ['English', 'en'],
    ['Arabic, from right to left', 'ar'],
  ])('in %s', (_language, lang) => {
    test.each([NARROW, WIDE])('at $width pixels, light and dark, axe finds nothing', async (viewport) => {
      const [{ context }] = [await loggedIn(trusted, viewport), await loggedIn(trusted)]
      // The cookie of a visitor without scripts, in a browser in which axe can run.
      const page = await (await browser.newContext({ viewport, bypassCSP: true })).newPage()
      await page.context().addCookies(await context.cookies())
      await page.goto(`${trusted}${MOUNT}?ended=1&lang=${lang}`)
      expect(await page.getAttribute('html', 'lang')).toBe(lang)
      const taken = async (scheme: string) => takeShot(page, `devices-${lang}-${viewport.width}-${scheme}`)
      expect(await axeFaults(page, taken)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(viewport.width)
      await Promise.all([page.context().close(), context.close()])
      await store.clear()
    })
  })

  test.each([NARROW, WIDE])('at $width pixels it is styled, and nothing sticks out', async (viewport) => {
    const [{ page }] = [await loggedIn(trusted, viewport), await loggedIn(trusted)]
    await page.goto(`${trusted}${MOUNT}`)
    await takeShot(page, `devices-${viewport.width}`)
    const boxes = await Promise.all(
      (await page.locator('button, a, h1, .device').all()).map((part) => part.boundingBox()),
    )
    for (const box of boxes) {
      expect(box?.x).toBeGreaterThanOrEqual(0)
      expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(viewport.width)
    }
    // This is a finger's width; without the stylesheet it is half of that.
    expect((await page.locator('.device button').first().boundingBox())?.height).toBeGreaterThanOrEqual(44)
    expect(refused).toEqual([])
    await store.clear()
  })
}
