import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium, type Page } from 'playwright-core'
import { axeFaults } from '../support/axe.js'
import { CHROMIUM } from '../support/chromium.js'
import { openShop } from './shop.js'

const PHONE = { width: 390, height: 844 }
const DESK = { width: 1280, height: 800 }

if (CHROMIUM === undefined) {
  test.skip('the experiments in a real browser: skipped, no Chromium is installed (set CHROMIUM_PATH)', () => {})
} else {
  describe('the experiments and the strip in Chromium', () => inChromium(CHROMIUM as string))
}

function inChromium(executablePath: string): void {
  const shop = openShop({ experimentSeconds: 200 })
  let server: Server
  let browser: Browser
  let url: string

  beforeAll(async () => {
    server = createServer(shop.app).listen(0, '127.0.0.1')
    await new Promise((listening) => server.once('listening', listening))
    url = `http://localhost:${(server.address() as AddressInfo).port}`
    // Containers have no room for a sandbox, and the pages are our own.
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  })
  afterAll(async () => {
    await browser?.close()
    server.closeAllConnections()
    server.close()
    await shop.close()
  })

  /** Opens a page and hands it to a function; what the browser refuses on account of a policy is an error. */
  async function open(path: string, options: object, look: (page: Page) => Promise<void>): Promise<void> {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    const refused: string[] = []
    page.on('console', (message) => refused.push(message.text()))
    await page.goto(url + path)
    await look(page)
    await context.close()
    expect(refused).toEqual([])
  }

  const width = (page: Page) => page.evaluate('document.documentElement.scrollWidth')

  test('without scripts, one key press runs an experiment, and its result is in sight', async () => {
    await open('/two-requests', { viewport: DESK, javaScriptEnabled: false }, async (page) => {
      await page.locator('#merged-cart button').focus()
      await Promise.all([page.waitForURL('**/two-requests/merged-cart#merged-cart'), page.keyboard.press('Enter')])
      const verdicts = page.locator('.verdict')
      expect(await verdicts.allInnerTexts()).toEqual([
        'Wrong. The sencha that B has added is gone.',
        'Right. All three teas are in the basket.',
      ])
      const [left, right] = [await verdicts.first().boundingBox(), await verdicts.last().boundingBox()]
      expect(left?.x).toBeLessThan(right?.x ?? 0)
      expect((left?.y ?? DESK.height) + (left?.height ?? 0)).toBeLessThan(DESK.height)
    })
  })

  test.each(['light', 'dark'] as const)(
    'a phone that is %s shows everything, and nothing sticks out',
    async (colorScheme) => {
      await open('/two-requests', { viewport: PHONE, colorScheme }, async (page) => {
        await page.getByRole('button', { name: 'Run all four' }).click()
        await page.waitForSelector('.side')
        await page.locator('.commands summary').click()
        expect(await page.locator('.side').count()).toBe(8)
        expect(await width(page)).toBe(PHONE.width)
      })
    },
  )

  test('the page has no fault that axe finds, light or dark', async () => {
    await open('/two-requests', { viewport: DESK, bypassCSP: true }, async (page) => {
      await page.getByRole('button', { name: 'Run all four' }).click()
      await page.waitForSelector('.side')
      await page.locator('.commands summary').click()
      expect(await axeFaults(page)).toEqual([])
    })
  })

  test('the strip opens by keyboard, and stays in sight while the page is scrolled', async () => {
    await open('/', { viewport: DESK }, async (page) => {
      await page.locator('form[data-add] button').first().click()
      await page.waitForURL('**/#*')
      const strip = page.locator('.commands')
      const box = await strip.boundingBox()
      expect((box?.y ?? 0) + (box?.height ?? 0)).toBe(DESK.height)
      await page.locator('.commands summary').focus()
      await page.keyboard.press('Enter')
      expect(await strip.locator('li').first().isVisible()).toBe(true)
      await page.keyboard.press('Enter')
      expect(await strip.locator('li').first().isVisible()).toBe(false)
    })
  })
}
