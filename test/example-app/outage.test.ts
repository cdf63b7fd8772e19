import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { openRedis } from '../../example-app/redis.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { socketPath } from '../support/redis.js'
import { until } from '../support/until.js'
import { openShop } from './shop.js'
import { Visitor } from './visitor.js'

const log = jest.spyOn(console, 'error').mockImplementation(() => {})
let redis: PrivateRedis

beforeAll(async () => {
  redis = await privateRedis([], { isStopped: true })
})
afterAll(async () => {
  log.mockRestore()
  await redis.stop()
})

/** A shop whose Redis is silent until the test lets it go on. */
function stoppable() {
  const pauseRedis = jest.fn(async (_ms: number) => void process.kill(redis.pid, 'SIGSTOP'))
  const shop = openShop({ client: redis.connect(), pauseRedis, outageSeconds: 3600 })
  return { pauseRedis, goOn: () => process.kill(redis.pid, 'SIGCONT'), ...shop }
}

const header = (text: string) => /<header[\s\S]*<\/header>/.exec(text)?.[0] ?? ''
/** The status of each path that the page has tried. */
function trials(text: string): Record<string, string> {
  const found = text.matchAll(/GET ([^<]+)<[\s\S]*?class="tag[^>]*>([^<]+)</g)
  return Object.fromEntries([...found].map(([, path, status]) => [path, status]))
}

describe('the button that stops Redis', () => {
  test('shows what works meanwhile, and takes nobody who is logged in for a stranger', async () => {
    const shop = stoppable()
    const ada = new Visitor(shop.app)
    await ada.addTea('chai')
    await ada.signUp('Ada', shop.newAddress())
    const { text: before } = await ada.get('/outage')
    expect(before).toContain('Stop Redis for 3600 seconds')
    expect((await ada.submit('/outage', '/outage')).headers.location).toBe('/outage')

    const { status, text } = await ada.get('/outage')
    expect(status).toBe(200)
    expect(text).toContain('<meta http-equiv="refresh" content="1">')
    expect(Number(/<strong>(\d+)<\/strong> <span>seconds? left</.exec(text)?.[1])).toBeLessThanOrEqual(3600)
    expect(trials(text)).toEqual({ '/css/base.css': '200', '/': '200', '/whoami': '503', '/csrf': '503' })
    const refused = await ada.get('/cart')
    const { status: refusal, headers } = refused
    expect([refusal, headers['retry-after'], headers['set-cookie']]).toEqual([503, '5', undefined])
    expect(refused.text).toContain('href="/cart">Try again')
    for (const page of [text, refused.text]) {
      expect(header(page)).toContain('Session out of reach')
      expect(header(page)).not.toMatch(/Log in|Sign up/)
    }
    // A visitor without a session is none of those.
    const stranger = await new Visitor(shop.app).get('/')
    expect([stranger.status, header(stranger.text).includes('Log in')]).toEqual([200, true])

    shop.goOn()
    await until('the shop is as before', async () => (await ada.get('/outage')).text.includes('Redis is back'))
    const after = await ada.get('/outage')
    expect(after.text).toMatch(/still logged in as <strong>Ada<\/strong>/)
    expect(after.text).not.toContain('http-equiv="refresh"')
    expect((await ada.get('/cart')).text).toContain('Station Chai')
    await shop.close()
  })

  test('pressed by several at once stops Redis once, and the page says what the store has noticed', async () => {
    const shop = stoppable()
    const visitors = [new Visitor(shop.app), new Visitor(shop.app), new Visitor(shop.app)]
    const tokens = await Promise.all(visitors.map(async (visitor) => (await visitor.get('/csrf')).body.token as string))
    await Promise.all(visitors.map((visitor, i) => visitor.post('/outage', { _csrf: tokens[i] as string })))
    const page = () => new Visitor(shop.app).get('/outage')
    await until('the store has noticed', async () => (await page()).text.includes('<strong>unavailable</strong>'))
    shop.goOn()
    await until('Redis answers again', async () => (await page()).text.includes('Redis is back'))
    expect(shop.pauseRedis.mock.calls).toEqual([[3_600_000]])
    await shop.close()
  })

  test('is offered again when Redis did not obey', async () => {
    const pauseRedis = () => Promise.reject(new Error('not permitted'))
    const shop = openShop({ client: redis.connect(), pauseRedis })
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    await visitor.submit('/outage', '/outage')
    expect((await visitor.get('/outage')).text).toContain('Stop Redis for ten seconds')
    expect(log.mock.calls.join()).toContain('Redis was not stopped: not permitted')
    await shop.close()
  })

  test("is not there where Redis may be somebody's, and the page says why", async () => {
    const shop = openShop({ client: redis.connect() })
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    const { text } = await visitor.get('/outage')
    expect(text).toContain('There is no button here')
    expect(text).not.toContain('action="/outage"')
    expect((await visitor.submit('/', '/outage')).status).toBe(404)
    await shop.close()
  })

  test('belongs to the Redis that the shop has started, and not to REDIS_URL', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'crh-shop-'))
    const { REDIS_URL } = process.env
    process.env.REDIS_URL = socketPath()
    const given = await openRedis(dir)
    delete process.env.REDIS_URL
    const own = await openRedis(dir)
    if (REDIS_URL !== undefined) process.env.REDIS_URL = REDIS_URL
    expect([given.pause, typeof own.pause]).toEqual([undefined, 'function'])
    await given.close()
    await own.close()
    rmSync(dir, { recursive: true, force: true })
  })
})

describe('Redis comes back when the shop is ended meanwhile', () => {
  const dir = mkdtempSync(join(tmpdir(), 'crh-shop-'))
  const socket = join(dir, 'redis/redis.sock')
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  /** Starts the shop, presses the button, and waits until Redis is silent. */
  async function stopped(): Promise<ChildProcess> {
    const { REDIS_URL: _own, ...env } = process.env
    const child = spawn(process.execPath, ['--import', 'tsx', 'example-app/main.ts'], {
      env: { ...env, PORT: '0', DATA_DIR: dir, TSX_TSCONFIG_PATH: 'tsconfig.json' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout?.on('data', (chunk) => {
      output += chunk
    })
    await until('the shop is open', () => output.includes('is open:'), { timeoutMs: 120_000 })
    const url = /is open:\s+(\S+)/.exec(output)?.[1]
    const { token, cookie } = await fetch(`${url}/csrf`).then(async (res) => ({
      token: ((await res.json()) as { token: string }).token,
      cookie: res.headers.get('set-cookie')?.split(';')[0] as string,
    }))
    const headers = { cookie, 'x-csrf-token': token }
    expect((await fetch(`${url}/outage`, { method: 'POST', headers, redirect: 'manual' })).status).toBe(303)
    await until('Redis is silent', async () => (await (await fetch(`${url}/outage`)).text()).includes('Redis is away'))
    return child
  }

  test('by SIGKILL: it counts the time itself', async () => {
    const child = await stopped()
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    const client = new Redis({ path: socket })
    expect(await client.ping()).toBe('PONG')
    const pid = Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1])
    client.disconnect()
    process.kill(pid, 'SIGTERM')
    await until('it is ended', () => !existsSync(socket))
  })

  test('by SIGTERM: the shop waits, and ends it then, as always', async () => {
    const child = await stopped()
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(existsSync(socket)).toBe(false)
  })
})
