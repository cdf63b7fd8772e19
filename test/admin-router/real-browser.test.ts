import { existsSync, readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RedisStore, type SessionContent } from 'connect-redis-hash'
import helmet from 'helmet'
import { type Browser, chromium } from 'playwright-core'
import { handleOf } from '../../src/ids/handle.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'
import { MOUNT, site } from './site.js'

const CHROMIUM = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path))
const NARROW = { width: 390, height: 844 }
const WIDE = { width: 1280, height: 800 }
const SCHEMES = ['light', 'dark'] as const

if (CHROMIUM === undefined) {
  test.skip('the pages in a real browser: skipped, no Chromium is installed (set CHROMIUM_PATH)', () => {})
} else {
  describe('the pages in Chromium', () => inChromium(CHROMIUM))
}

interface AxeResults {
  violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
}

function inChromium(executablePath: string): void {
  const client = connect()
  const prefix = freshPrefix()
  const indexes = { user: (held: SessionContent) => held.userId, tenant: (held: SessionContent) => held.tenant }
  const store = new RedisStore({ client, prefix, indexes, activity: true, broadcast: true })
  const handle = handleOf('ada-1')
  let server: Server
  let browser: Browser
  let origin: string
  /** What the policies have kept from working. */
  const refused: string[] = []

  beforeAll(async () => {
    const directives = { upgradeInsecureRequests: null }
    server = site(store, {
      before: [helmet({ contentSecurityPolicy: { directives } }) as never],
      showValue: (name) => name !== 'secret',
    })
    origin = `http://localhost:${(server.address() as AddressInfo).port}`
    // Containers have no room for a sandbox, and the pages are our own.
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  })
  afterAll(async () => {
    await browser?.close()
    server.close()
    server.closeAllConnections()
    await store.close()
    await client.quit()
  })
  beforeEach(async () => {
    await store.clear()
    await people()
  })

  /** Sessions of several users, older and newer, as an application has them. */
  async function people(): Promise<void> {
    const cart = [{ sku: 'lapsang-souchong', count: 2 }]
    await store.set('ada-1', { userId: 'ada', tenant: 'acme', cart, secret: 'not shown' } as never)
    await store.set('ada-2', { userId: 'ada', tenant: 'acme', theme: 'dark' } as never)
    await store.set('bob-1', { userId: 'bob@example.com', tenant: 'a-company-with-a-rather-long-name' } as never)
    await store.set('anonymous', { visits: 3 } as never)
    await client.hset(`${prefix}ada-1`, '@client', 'Firefox on Linux', '@dk', 'A'.repeat(44))
    await client.hset(`${prefix}ada-2`, '@client', 'Safari on iOS, phone')
    await client.hset(`${prefix}bob-1`, '@client', 'Edge on Windows')
    await client.set(`${prefix}older`, JSON.stringify({ cookie: {}, userId: 'eve' }), 'EX', 600)
    for (const [i, sid] of ['ada-2', 'bob-1', 'anonymous'].entries()) {
      await passTime(client, prefix + sid, 5000 * (i + 1) ** 4 * 100)
    }
  }

  async function visitor(viewport = WIDE, colorScheme: 'light' | 'dark' = 'light', javaScriptEnabled = false) {
    const context = await browser.newContext({ viewport, colorScheme, javaScriptEnabled, bypassCSP: javaScriptEnabled })
    await context.addCookies([{ name: 'admin', value: 'grace', url: origin }])
    const page = await context.newPage()
    page.on('console', (message) => {
      if (/Content Security Policy|MIME/i.test(message.text())) refused.push(message.text())
    })
    return { context, page }
  }

  const at = (path: string) => `${origin}${MOUNT}/${path}`

  const PAGES: [name: string, path: string][] = [
    ['sessions', 'sessions'],
    ['one-user', 'sessions?index=user&value=ada'],
    ['nobody', 'sessions?index=user&value=nobody'],
    ['session', `sessions/${handle}?index=user&value=ada`],
    ['end-one', `sessions/${handle}/end?index=user&value=ada`],
    ['end-user', 'end?index=user&value=ada'],
    ['end-all', 'end?all=true'],
    ['ended', 'sessions?index=user&value=bob@example.com&ended=2'],
    ['stats', 'stats'],
    ['activity', 'activity?step=minute'],
    ['events', 'events'],
    ['health', 'health'],
    ['not-found', `sessions/${'A'.repeat(22)}`],
  ]

  describe.each(PAGES)('%s', (name, path) => {
    test.each([NARROW, WIDE].flatMap((viewport) => SCHEMES.map((scheme) => ({ ...viewport, scheme }))))(
      'at $width pixels, $scheme: no axe violation, nothing sticks out',
      async ({ width, height, scheme }) => {
        if (name === 'activity') await beActive(client, prefix)
        if (name === 'events') await somethingHappens()
        const { context, page } = await visitor({ width, height }, scheme, true)
        await page.goto(at(path))
        const shots = process.env.SCREENSHOTS
        if (shots !== undefined)
          await page.screenshot({ path: `${shots}/${name}-${width}-${scheme}.png`, fullPage: true })
        await page.addScriptTag({ content: readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8') })
        const results = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as AxeResults
        expect(
          results.violations.map(({ id, nodes }) => [
            id,
            nodes.map(({ html, failureSummary }) => [html, failureSummary]),
          ]),
        ).toEqual([])
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
        await context.close()
      },
    )
  })

  async function somethingHappens(): Promise<void> {
    const { context, page } = await visitor()
    await page.goto(at('events'))
    await until('the feed tells of a session', async () => {
      await store.set(`new-${Date.now()}`, { userId: 'carol' } as never)
      await store.destroy('ada-2')
      await page.goto(at('events'))
      return (await page.locator('.feed li').count()) > 3
    })
    await context.close()
  }
}

async function beActive(client: ReturnType<typeof connect>, prefix: string): Promise<void> {
  const minute = 60_000
  const now = Date.now() - (Date.now() % minute)
  for (let i = 0; i < 60; i++) {
    const count = Math.round(40 + 30 * Math.sin(i / 7) + (i % 5) * 4)
    const key = (counted: string) => `idx:${prefix}@activity:${counted}:minute:${now - i * minute}`
    await client.pfadd(key('sessions'), ...Array.from({ length: count }, (_, n) => `s${n}`))
    await client.pfadd(key('users'), ...Array.from({ length: Math.ceil(count / 2) }, (_, n) => `u${n}`))
  }
}
