import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { axeFaults } from '../support/axe.js'
import { CHROMIUM } from '../support/chromium.js'
import { privateRedis } from '../support/private-redis.js'
import { until } from '../support/until.js'
import { openShop } from './shop.js'

if (CHROMIUM === undefined) {
  test.skip('the shop in a real browser: skipped, no Chromium is installed (set CHROMIUM_PATH)', () => {})
} else {
  describe('the shop in Chromium', () => inChromium(CHROMIUM as string))
}

/** The longest name there may be, without a place to break it. */
const LONG_NAME = 'W'.repeat(60)
const WIDTHS = [320, 330, 340, 390, 600, 704, 705, 752, 800, 960, 1280]

interface Layout {
  /** Pixels by which the page is wider than the window. */
  tooWide: number
  /** Whether anything in the header lies over something else. */
  covered: boolean
  nameWidth: number
}

/** A script of the browser that measures a page. @returns a Layout */
const LAYOUT = `(() => {
  const boxes = ['.brand', '.who-name', '.who .button'].map((part) => document.querySelector(part).getBoundingClientRect())
  const [brand, name, out] = boxes
  const isOver = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
  return {
    tooWide: document.documentElement.scrollWidth - innerWidth,
    covered: isOver(brand, name) || isOver(name, out) || isOver(brand, out),
    nameWidth: Math.round(name.width),
  }
})()`

function inChromium(executablePath: string): void {
  let redis: Awaited<ReturnType<typeof privateRedis>>
  let shop: ReturnType<typeof openShop>
  let origin: string
  let browser: Browser
  /** What the policy has kept from working, and what a script has thrown. */
  const failures: string[] = []

  beforeAll(async () => {
    redis = await privateRedis()
    const pauseRedis = async () => void process.kill(redis.pid, 'SIGSTOP')
    shop = openShop({ client: redis.connect(), pauseRedis, outageSeconds: 3600 })
    origin = await shop.listen()
    // Containers have no room for a sandbox, and the pages are our own.
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  })
  afterAll(async () => {
    await browser?.close()
    process.kill(redis.pid, 'SIGCONT')
    await shop.close()
    await redis.stop()
  })

  async function visitor(javaScriptEnabled = true): Promise<{ context: BrowserContext; page: Page }> {
    const context = await browser.newContext({ javaScriptEnabled })
    const page = await context.newPage()
    page.on('console', (message) => {
      if (/Content Security Policy|MIME/i.test(message.text())) failures.push(message.text())
    })
    page.on('pageerror', (error) => failures.push(error.message))
    return { context, page }
  }

  async function signUp(page: Page, name: string, email = shop.newAddress()): Promise<string> {
    await page.goto(`${origin}/signup`)
    await page.fill('[name=name]', name)
    await page.fill('[name=email]', email)
    await page.fill('[name=password]', 'correct horse')
    await page.click('main .stack button')
    await page.waitForSelector('.who-name')
    return email
  }

  const PATHS = ['/', '/cart', '/session', '/account', '/events', '/outage', '/admin', '/nothing']

  test('no page scrolls sideways and no name lies over the name of the shop, at any width', async () => {
    const { context, page } = await visitor()
    await signUp(page, LONG_NAME)
    for (const tea of ['chai', 'pu-erh', 'oolong']) {
      await page.goto(`${origin}/`)
      await page.click(`#${tea} button`)
      await page.waitForLoadState()
    }
    const wrong: unknown[] = []
    for (const path of PATHS) {
      await page.goto(`${origin}${path}`)
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 })
        const seen = (await page.evaluate(LAYOUT)) as Layout
        if (seen.tooWide > 0 || seen.covered || seen.nameWidth < 40) wrong.push({ path, width, ...seen })
      }
    }
    expect(wrong).toEqual([])
    await context.close()
  })

  const CHECKED = ['/events', '/outage', '/admin', '/account', '/login']

  test.each(CHECKED)('axe finds nothing on %s, light and dark', async (path) => {
    const { context, page } = await visitor()
    await signUp(page, 'Ada')
    await page.goto(`${origin}${path}`)
    if (path === '/account') await page.waitForSelector('[data-state=live]')
    expect(await axeFaults(page)).toEqual([])
    await context.close()
  })

  test('the live log grows by itself, the newest on top, and without scripts when it is loaded again', async () => {
    const [live, plain] = [await visitor(), await visitor(false)]
    for (const { page } of [live, plain]) await page.goto(`${origin}/events`)
    await live.page.waitForSelector('.log-state[data-state=live]')
    const newest = async (page: Page) =>
      `${await page.locator('.log li').first().textContent()}`.replace(/\s+/g, ' ').trim()
    const { context, page } = await visitor()
    await signUp(page, 'Ada')
    await live.page.waitForSelector('.log .event-new.event-rotated')
    expect(await live.page.locator('.log .event-new.event-rotated').count()).toBe(1)
    await page.click('.who button')
    await live.page.waitForSelector('.log li.event-new.event-ended:first-child')
    await plain.page.click('text=Look again')
    await until('both show the same', async () => (await newest(plain.page)) === (await newest(live.page)))
    for (const one of [live, plain]) await one.context.close()
    await context.close()
  })

  test('the account page says "Connected", and says at once that the session was ended in another browser', async () => {
    const [here, there] = [await visitor(), await visitor()]
    const email = await signUp(here.page, 'Ada')
    await here.page.goto(`${origin}/account`)
    const state = here.page.locator('.connection-state')
    await here.page.waitForSelector('.connection-state[data-state=live]')
    expect(await state.textContent()).toBe('Connected')
    await there.page.goto(`${origin}/login`)
    await there.page.fill('[name=email]', email)
    await there.page.fill('[name=password]', 'correct horse')
    await there.page.click('main .stack button')
    await there.page.waitForSelector('.who-name')
    await there.page.goto(`${origin}/account/sessions`)
    await there.page.click('form[action$=end-others] button')
    await here.page.waitForSelector('.connection-state[data-state=over]')
    expect(await state.textContent()).toBe('This session has ended: it was logged out from elsewhere. Log in again')
    await here.page.click('text=Log in again')
    await here.page.waitForURL(/\/login\?to=%2Faccount/)
    for (const { context } of [here, there]) await context.close()
  })

  test('an outage counts down without scripts, and the shop is back by itself', async () => {
    const { context, page } = await visitor(false)
    await signUp(page, 'Ada')
    await page.goto(`${origin}/outage`)
    await page.click('text=Stop Redis for')
    await page.waitForSelector('.countdown-number')
    const left = async () => Number(await page.locator('.countdown-number strong').textContent())
    const first = await left()
    await until('it has counted', async () => (await left()) < first)
    expect(await page.locator('.who').textContent()).toMatch(/^\s*Session out of reach\s*$/)
    process.kill(redis.pid, 'SIGCONT')
    await page.waitForSelector('text=Redis is back')
    expect(await page.locator('.who-name').textContent()).toBe('Ada')
    await context.close()
  })

  test('the policy has kept nothing from working', () => {
    expect(failures).toEqual([])
  })
}
