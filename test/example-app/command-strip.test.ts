import supertest from 'supertest'
import { createApp } from '../../example-app/app.js'
import { connect } from '../support/redis.js'
import { openShop } from './shop.js'
import { Visitor } from './visitor.js'

const shop = openShop()

afterAll(() => shop.close())

interface Told {
  summary: string
  /** `GET /cart: HGETALL session` for each line, this request first. */
  lines: string[]
}

/** What the strip of a page says, without milliseconds. */
function told(page: string): Told {
  const strip = /<aside class="commands"[^>]*>([\s\S]*?)<\/aside>/.exec(page)?.[1] ?? ''
  const text = (html: string) =>
    html
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .replaceAll(' ,', ',')
      .trim()
  const [head = '', ...requests] = strip.split('<h2>')
  const lines = requests.flatMap((request) => {
    const what = text(/<code>[\s\S]*?<\/code>/.exec(request)?.[0] ?? '')
    return [...request.matchAll(/<li>([\s\S]*?)<\/li>/g)].map(
      ([, line = '']) => `${what}: ${text(line).replace(/ [\d.]+ ms$/, '')}`,
    )
  })
  return { summary: text(head), lines }
}

describe('the strip', () => {
  test('of a visitor without a session says that Redis was asked nothing', async () => {
    const { text } = await new Visitor(shop.app).get('/')
    expect(told(text)).toEqual({ summary: 'Redis, for this page: no command', lines: [] })
  })

  test('is on every page, the 404 included', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.signUp('Ada', shop.newAddress())
    for (const path of ['/', '/cart', '/session', '/two-requests', '/login', '/account', '/add/chai', '/nothing']) {
      const { text } = await visitor.get(path)
      expect([path, told(text).summary]).toEqual([path, expect.stringMatching(/: \d+ commands?, \d+\.\d ms$/)])
    }
  })

  test('shows what this request has sent until its page was made: one command for a page that only reads', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    await visitor.get('/')
    const { summary, lines } = told((await visitor.get('/cart')).text)
    expect(summary).toMatch(/^Redis, for this page: 1 command, \d+\.\d ms$/)
    expect(lines.filter((line) => line.startsWith('GET /cart: '))).toEqual(['GET /cart: HGETALL session'])
  })

  test('shows the request before with its save, also where it was answered by a redirect and got a new session', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    const { lines } = told((await visitor.get('/cart')).text)
    expect(lines).toContain('POST /cart/add: HGETALL session')
    expect(lines).toContainEqual(expect.stringMatching(/^POST \/cart\/add: EVAL(SHA)? session/))
    await visitor.signUp('Ada', shop.newAddress())
    expect(told((await visitor.get('/cart')).text).lines).toContain('POST /signup: SET account')
  })

  test("tells no key, id or value, and nothing of another visitor's request", async () => {
    const [ada, bob] = [new Visitor(shop.app), new Visitor(shop.app)]
    await ada.signUp('Ada', shop.newAddress())
    await bob.signUp('Bob', shop.newAddress())
    const [page] = await Promise.all([ada.get('/account'), bob.get('/session')])
    const { lines } = told(page.text)
    expect(lines.filter((line) => line.startsWith('GET '))).not.toEqual([])
    for (const line of lines)
      expect(line).toMatch(/^(GET \/account|POST \/signup): [A-Z]+ (session|account|index of users)( × \d+)?$/)
    const strip = /<aside class="commands"[\s\S]*<\/aside>/.exec(page.text)?.[0]
    for (const secret of [ada.sessionId, shop.namespace, shop.keyOf(ada), 'sess:']) expect(strip).not.toContain(secret)
  })

  test('shows a path that somebody has made up as text, and not the whole of a long one', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    const { text } = await visitor.get(`/'"<b>${'x'.repeat(100)}`)
    expect(text).not.toContain('<b>x')
    expect(text).toMatch(/GET \/[^<\n]{20,60}…<\/code>/)
  })

  test('is on the page that says that Redis is away', async () => {
    const gone = connect({ retryStrategy: () => null, maxRetriesPerRequest: 0 })
    gone.disconnect()
    const log = jest.spyOn(console, 'error').mockImplementation(() => {})
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    const app = createApp({ client: gone, secret: shop.secret, namespace: shop.namespace })
    const { status, text } = await supertest(app)
      .get('/')
      .set('Cookie', visitor.cookie.split(';')[0] as string)
    log.mockRestore()
    expect(status).toBe(503)
    expect(told(text).summary).toMatch(/^Redis, for this page: 1 command,/)
  })
})
