import { once } from 'node:events'
import { connect } from 'node:net'
import supertest from 'supertest'
import { openShop } from './shop.js'
import { Visitor } from './visitor.js'

const shop = openShop()
const FORM = 'application/x-www-form-urlencoded'

afterAll(() => shop.close())

/** Sends a request as it stands. @returns status and title of the answer */
async function send(lines: string[], body = ''): Promise<{ status: number; title: string | undefined; text: string }> {
  const socket = connect(Number(new URL(await address).port), '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  const [first, ...headers] = lines
  socket.write(`${[first, 'Host: shop', 'Connection: close', ...length, ...headers].join('\r\n')}\r\n\r\n${body}`)
  await once(socket, 'close')
  return { status: Number(text.split(' ')[1]), title: /<h1>(.*?)<\/h1>/.exec(text)?.[1], text }
}

const address = shop.listen()
const log = jest.spyOn(console, 'error').mockImplementation(() => {})
afterAll(() => log.mockRestore())

/** A form that is posted with these headers. */
const post = (...headers: string[]) => ['POST /login HTTP/1.1', ...headers]
const get = (path: string, ...headers: string[]) => [`GET ${path} HTTP/1.1`, ...headers]

describe('a request that is wrong gets its own status and a page, and is no error of the shop', () => {
  test.each<[what: string, status: number, lines: string[], body?: string]>([
    ['an unknown charset', 415, post(`Content-Type: ${FORM}; charset=bogus`), 'a=1'],
    ['a charset that is not read', 415, post(`Content-Type: ${FORM}; charset=utf-16`), 'a=1'],
    ['an unknown encoding', 415, post(`Content-Type: ${FORM}`, 'Content-Encoding: bogus'), 'a=1'],
    ['an encoding that the body does not have', 400, post(`Content-Type: ${FORM}`, 'Content-Encoding: gzip'), 'a=1'],
    ['brotli that the body does not have', 400, post(`Content-Type: ${FORM}`, 'Content-Encoding: br'), 'a=1'],
    ['a body that is too large', 413, post(`Content-Type: ${FORM}`), 'a'.repeat(20_000)],
    ['too many fields', 413, post(`Content-Type: ${FORM}`), 'a&'.repeat(2000)],
    ['broken percent encoding in a body', 403, post(`Content-Type: ${FORM}`), 'a=%E0%A4%A&%=%'],
    ['names of objects as fields', 403, post(`Content-Type: ${FORM}`), '__proto__=1&constructor=1&_csrf[]=1&_csrf=1'],
    ['a form of files', 415, post('Content-Type: multipart/form-data; boundary=x'), '--x\r\nbroken'],
    ['a form of files without a boundary', 415, post('Content-Type: multipart/form-data'), 'broken'],
    ['JSON', 415, post('Content-Type: application/json'), '{"email":'],
    ['a type that is none', 415, post('Content-Type: ;;;='), 'a=1'],
    ['a body without a type', 403, post('X-Nothing: 1'), 'a=1'],
    ['broken percent encoding in a path', 404, get('/%E0%A4%A')],
    ['broken percent encoding in a parameter', 400, get('/add/%E0%A4%A')],
    ['a zero byte in a path', 404, get('/css/%00')],
    ['a way out of the folder', 404, get('/..%2f..%2fpackage.json')],
    ['two slashes', 404, get('//evil.example/%2e%2e')],
    ['a path that is very long', 404, get(`/${'x'.repeat(10_000)}`)],
    ['a range behind the end of a file', 416, get('/shop.js', 'Range: bytes=9999999-')],
    ['a condition that a file does not fulfil', 412, get('/shop.js', 'If-Match: "x"')],
    ['a date that is over', 412, get('/shop.js', 'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT')],
    ['PUT', 405, ['PUT /cart HTTP/1.1']],
    ['DELETE', 405, ['DELETE / HTTP/1.1']],
    ['PROPFIND', 405, ['PROPFIND / HTTP/1.1']],
    ['TRACE', 405, ['TRACE / HTTP/1.1']],
    ['an Accept that nobody understands', 404, get('/nothing', 'Accept: image/x;q=zz, ,,')],
  ])('%s: %d', async (_what, status, lines, body = '') => {
    const answer = await send(lines, body)
    expect([answer.status, log.mock.calls]).toEqual([status, []])
    expect(answer.title).not.toBe(undefined)
    expect(answer.title).not.toBe('We spilled something')
    expect(answer.text).not.toMatch(/node_modules| at .+:\d+:\d+/)
  })

  test.each<[what: string, status: number, lines: string[]]>([
    ['a method that does not exist', 400, ['FOO / HTTP/1.1']],
    ['an expectation that nobody can meet', 417, post('Expect: bogus')],
    ['a question about the whole server', 204, ['OPTIONS * HTTP/1.1']],
    ['a question about a page', 204, ['OPTIONS /cart HTTP/1.1']],
    ['another protocol', 404, get('/', 'Connection: Upgrade', 'Upgrade: h2c')],
    ['a socket elsewhere', 404, get('/cart', 'Connection: Upgrade', 'Upgrade: websocket')],
  ])('%s: %d', async (_what, status, lines) => {
    expect([(await send(lines)).status, log.mock.calls]).toEqual([status, []])
  })

  test.each([
    ['cookies that are none', get('/cart', 'Cookie: sid=s%3A%E0%A4; sid=%%%; pretend=1; =; a')],
    ['questions that are none', get('/login?to[]=x&to=%E0%A4%A&to')],
    ['a host that is none', get('/session', 'X-Forwarded-Host: "><script>')],
  ])('%s are as good as nothing', async (_what, lines) => {
    expect([(await send(lines)).status, log.mock.calls]).toEqual([200, []])
  })

  test('what it allows is in the answer, and programs get JSON', async () => {
    const refused = await supertest(shop.app).put('/cart').accept('json')
    expect([refused.status, refused.headers.allow]).toEqual([405, 'GET, HEAD, POST'])
    expect(refused.body).toEqual({ error: 'Not served that way' })
    expect((await supertest(shop.app).options('/cart')).headers.allow).toBe('GET, HEAD, POST')
  })
})

describe('a form of a session that has ended elsewhere', () => {
  /** Somebody is logged in with two browsers, and has a page with a form open in the first. */
  async function formOpen(path: string) {
    const email = shop.newAddress()
    const [here, there] = [new Visitor(shop.app), new Visitor(shop.app, { 'Sec-Fetch-Site': 'same-origin' })]
    await here.signUp('Ada', email)
    await there.logIn(email)
    const _csrf = /name="_csrf" value="(\w+)"/.exec((await here.get(path)).text)?.[1] as string
    expect((await there.post('/account/sessions/end-others', {})).status).toBe(303)
    return { here, _csrf }
  }

  test.each([
    ['/account', '/account', '/account'],
    ['/account/delete', '/account/delete', '/account/delete'],
    ['/cart/order', '/cart', '/cart'],
    ['/cart/add', '/add/chai', '/cart'],
    ['/outage', '/', '/outage'],
  ])('POST %s says so, and offers a login that leads back', async (action, page, back) => {
    const { here, _csrf } = await formOpen(page)
    const { status, text } = await here.post(action, { _csrf, tea: 'chai', sure: 'on' })
    expect(status).toBe(401)
    expect(text).toContain('Your session has ended')
    expect(text).toContain(`href="/login?${new URLSearchParams({ to: back })}"`.replaceAll('&', '&amp;'))
    expect(text).not.toContain('open for too long')
  })

  test('a logout is what has happened already', async () => {
    const { here, _csrf } = await formOpen('/')
    expect((await here.post('/logout', { _csrf })).headers.location).toBe('/?bye=1')
  })

  test('the page of devices and the account say so, too', async () => {
    const { here } = await formOpen('/')
    const { headers } = await here.post('/account/sessions/end-others', {})
    expect(headers.location).toMatch(/^\/login\?to=/)
    expect((await here.get(headers.location as string)).text).toContain('Your session has ended')
  })

  test('who never had a session reads that the page was open for too long', async () => {
    const { status, text } = await new Visitor(shop.app).post('/cart/add', { tea: 'chai' })
    expect([status, text.includes('open for too long')]).toEqual([403, true])
  })
})
