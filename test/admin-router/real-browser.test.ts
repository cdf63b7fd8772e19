import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RedisStore, type SessionContent } from 'connect-redis-hash'
import helmet from 'helmet'
import { type Browser, chromium } from 'playwright-core'
import { handleOf } from '../../src/ids/handle.js'
import { axeFaults } from '../support/axe.js'
import { CHROMIUM, takeShot } from '../support/chromium.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'
import { MOUNT, site } from './site.js'

const NARROW = { width: 390, height: 844 }
const WIDE = { width: 1280, height: 800 }

if (CHROMIUM === undefined) {
  test.skip('the pages in a real browser: skipped, no Chromium is installed (set CHROMIUM_PATH)', () => {})
} else {
  describe('the pages in Chromium', () => inChromium(CHROMIUM as string))
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

  async function visitor(viewport = WIDE, javaScriptEnabled = false) {
    const context = await browser.newContext({ viewport, javaScriptEnabled, bypassCSP: javaScriptEnabled })
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

  describe.each([NARROW, WIDE])('at $width pixels', (viewport) => {
    test.each(PAGES)('%s: light and dark, axe finds nothing, and nothing sticks out', async (name, path) => {
      if (name === 'activity') await beActive(client, prefix)
      if (name === 'events') await somethingHappens()
      const { context, page } = await visitor(viewport, true)
      await page.goto(at(path))
      const taken = async (scheme: string) => takeShot(page, `${name}-${viewport.width}-${scheme}`)
      expect(await axeFaults(page, taken)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(viewport.width)
      await context.close()
    })
  })

  test('by keyboard and without scripts, a user is found and all of their sessions are ended', async () => {
    const { context, page } = await visitor()
    const { keyboard } = page
    await page.goto(at('sessions'))
    await page.locator('input[name=value]').focus()
    await keyboard.type('ada')
    await Promise.all([page.waitForURL(/index=user&value=ada/), keyboard.press('Enter')])
    expect(await page.locator('.sessions tbody tr').count()).toBe(2)
    await page.getByRole('link', { name: 'End all of these…' }).focus()
    await Promise.all([page.waitForURL(/\/end\?/), keyboard.press('Enter')])
    expect(await page.textContent('h1')).toBe('End 2 sessions?')
    expect(await store.countBy('user', 'ada')).toBe(2)
    await page.getByRole('button', { name: 'End 2 sessions' }).focus()
    await Promise.all([page.waitForURL(/ended=2/), keyboard.press('Enter')])
    expect(await page.getByRole('status').textContent()).toBe('2 sessions ended.')
    expect([await store.countBy('user', 'ada'), await store.countBy('user', 'bob@example.com')]).toEqual([0, 1])
    await context.close()
  })

  test('the first link of a page leads to its content', async () => {
    const { context, page } = await visitor()
    await page.goto(at('sessions'))
    await page.keyboard.press('Tab')
    expect(await page.locator(':focus').textContent()).toBe('To the content')
    await page.keyboard.press('Enter')
    expect(await page.locator(':focus').getAttribute('id')).toBe('content')
    await context.close()
  })

  test('a session is looked at and ended', async () => {
    const { context, page } = await visitor(NARROW)
    await page.goto(at('sessions?index=user&value=ada'))
    await page.getByRole('link', { name: /^Firefox on Linux/ }).click()
    expect(await page.textContent('h1')).toBe('Firefox on Linux')
    await page.getByRole('link', { name: 'End this session…' }).click()
    await page.getByRole('button', { name: 'End the session' }).click()
    await page.waitForURL(/ended=1/)
    expect(await store.exists('ada-1')).toBe(false)
    await context.close()
  })

  test('the live page grows without scripts, the newest on top, and the policy has kept nothing from working', async () => {
    const { context, page } = await visitor(NARROW)
    await page.goto(at('events?live'), { waitUntil: 'commit' })
    let i = 0
    await until('two sessions are told of', async () => {
      i += 1
      await store.set(`new-${i}`, { userId: `user-${i}` } as never)
      return (await page.locator('.feed li').count()) > 1
    })
    const [first, second] = [page.locator('.feed li').nth(0), page.locator('.feed li').nth(1)]
    expect((await second.boundingBox())?.y).toBeLessThan((await first.boundingBox())?.y ?? 0)
    await page.getByRole('link', { name: 'Stop' }).click()
    await page.waitForURL(/events$/)
    expect(refused).toEqual([])
    await context.close()
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
