import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Server, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DevicePage, RedisStore, type SessionContent, sessionRouter } from 'connect-redis-hash'
import ejs from 'ejs'
import express from 'express'
import { connect, freshPrefix } from '../support/redis.js'
import { Browser, DATA, FRAMEWORKS, IPHONE, JSON_ONLY, MOUNT, SAME_ORIGIN, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: SessionContent) => held.userId }
const store = new RedisStore({ client, prefix, indexes })
store.setMaxListeners(0)
const servers: Server[] = []

function open(options: Parameters<typeof site>[1]): Server {
  const server = site(store, options)
  servers.push(server)
  return server
}

afterEach(() => store.clear())
afterAll(async () => {
  for (const server of servers) server.close()
  await client.quit()
})

async function ada(server: Server) {
  const laptop = await new Browser(server).logIn('ada')
  const phone = await new Browser(server, IPHONE).logIn('ada')
  return { laptop, phone }
}

/** A page as an application would write it, from what the router gives it. */
const TEMPLATE = `<!doctype html><html lang="<%= lang %>" dir="<%= dir %>"><title><%= texts.title %> · Shop</title>
<link rel="stylesheet" href="/shop.css">
<% if (ended !== undefined) { %><p role="status"><%= texts.ended(ended) %></p><% } %>
<% for (const session of sessions) { %>
<form method="post" action="<%= endUrl %>"><%= session.label %><% if (session.current) { %> (here)<% } %>
<time datetime="<%= session.seenAt.toISOString() %>"><%= session.lastSeen %></time>
<input type="hidden" name="handle" value="<%= session.handle %>"><button><%= texts.logOut %></button></form>
<% } %>
<form method="post" action="<%= base %>end-others"><button><%= texts.logOutOthers(others) %></button></form>`

describe.each(Object.entries(FRAMEWORKS))('an own page on %s', (_name, framework) => {
  const server = open({ framework, render: (page) => ejs.render(TEMPLATE, page) })

  test.each([MOUNT, `${MOUNT}/`, `${MOUNT}?a=/b`])('at %s ends one session, and says so', async (path) => {
    const { laptop, phone } = await ada(server)
    const { text } = await laptop.get(path, { Accept: 'text/html' })
    expect(text).toMatch(/<title>Your devices · Shop<\/title>.+Firefox on Linux \(here\).+Safari on iOS, phone/s)
    const [, action = ''] = /action="([^"]+end)"/.exec(text) ?? []
    const handles = [...text.matchAll(/name="handle" value="([^"]+)"/g)].map(([, handle]) => handle as string)
    const to = new URL(action, `http://localhost${path}`)
    const body = new URLSearchParams({ handle: handles[1] as string }).toString()
    const { headers } = await laptop.post(to.pathname, { body })
    expect([await laptop.user(), await phone.user()]).toEqual(['ada', 'nobody'])
    const next = new URL(headers.location as string, to)
    expect((await laptop.get(next.pathname + next.search)).text).toContain(
      '<p role="status">One device was logged out.</p>',
    )
  })

  test('ends all other sessions', async () => {
    const { laptop, phone } = await ada(server)
    const [, action = ''] = /action="([^"]+end-others)"/.exec((await laptop.get(MOUNT)).text) ?? []
    await laptop.post(new URL(action, `http://localhost${MOUNT}`).pathname)
    expect([await laptop.user(), await phone.user()]).toEqual(['ada', 'nobody'])
  })
})

describe('render', () => {
  test('is given all that a page needs, and no id, key or data', async () => {
    const pages: DevicePage[] = []
    const server = open({
      render: (page) => {
        pages.push(page)
        return 'ok'
      },
      back: '/account',
      lang: 'he',
      label: false,
    })
    const { laptop, phone } = await ada(server)
    await client.hset(prefix + phone.sid, '@dk', 'A'.repeat(44), '@client', '<b>mine</b>')
    await laptop.get(`${MOUNT}?ended=1`)
    const session = {
      handle: expect.stringMatching(/^[\w-]{22}$/),
      number: expect.stringMatching(/^[\w-]{6}$/),
      createdAt: expect.any(Date),
      seenAt: expect.any(Date),
      since: expect.stringMatching(/ UTC$/),
      lastSeen: 'a moment ago',
    }
    const { texts, ...rest } = pages[0] as DevicePage
    expect(rest).toEqual({
      sessions: [
        { ...session, current: true, deviceBound: false, label: 'Unnamed device' },
        { ...session, current: false, deviceBound: true, client: '<b>mine</b>', label: '<b>mine</b>' },
      ],
      more: 0,
      others: 1,
      base: './sessions/',
      endUrl: './sessions/end',
      endOthersUrl: './sessions/end-others',
      styleUrl: './sessions/style.css',
      back: '/account',
      ended: 1,
      lang: 'he',
      dir: 'rtl',
    })
    expect([texts.title, texts.more(3)]).toEqual(['Your devices', 'and 3 more'])
    for (const secret of [laptop.sid, phone.sid, prefix, DATA]) expect(JSON.stringify(rest)).not.toContain(secret)
  })

  test.each([
    ['HTML', () => '<p>own</p>'],
    ['a promise of HTML', async () => '<p>own</p>'],
    ['nothing, and sends', (_page: unknown, _req: unknown, res: express.Response) => void res.send('<p>own</p>')],
    ['what send returns', (_page: unknown, _req: unknown, res: express.Response) => res.send('<p>own</p>') as never],
    [
      'nothing, and ends later',
      (_page: unknown, _req: unknown, res: ServerResponse) => void setImmediate(() => res.end('<p>own</p>')),
    ],
  ])('that returns %s is answered with the headers of the built-in page', async (_what, render) => {
    const own = await (await new Browser(open({ render })).logIn()).get(MOUNT, { Accept: 'text/html' })
    const built = await (await new Browser(open({})).logIn()).get(MOUNT, { Accept: 'text/html' })
    expect([own.status, own.text]).toEqual([200, '<p>own</p>'])
    for (const name of [
      'content-security-policy',
      'referrer-policy',
      'cache-control',
      'content-type',
      'vary',
      'x-content-type-options',
    ]) {
      expect([name, own.headers[name]]).toEqual([name, built.headers[name]])
    }
    expect(own.headers['content-security-policy']).toContain("frame-ancestors 'none'")
  })

  test('may be a view of Express', async () => {
    const views = mkdtempSync(join(tmpdir(), 'views-'))
    writeFileSync(join(views, 'devices.ejs'), TEMPLATE)
    const server = open({
      framework: () => express().set('views', views).set('view engine', 'ejs'),
      render: (page, _req, res: express.Response) => res.render('devices', page),
    })
    const { laptop } = await ada(server)
    expect((await laptop.get(MOUNT)).text).toContain('Your devices · Shop')
    rmSync(views, { recursive: true })
  })

  test('is not asked for JSON, nor for visitors who are not logged in', async () => {
    const render = jest.fn(() => 'own')
    const { laptop } = await ada(open({ render }))
    expect(await laptop.list()).toHaveLength(2)
    expect((await new Browser(servers.at(-1) as Server).get(MOUNT)).text).toBe('401 you are not logged in')
    expect(render).not.toHaveBeenCalled()
  })

  test('changes nothing of who may end sessions', async () => {
    const { laptop, phone } = await ada(open({ render: () => 'own' }))
    const cross = { headers: { 'Sec-Fetch-Site': 'cross-site' } }
    expect((await laptop.post(`${MOUNT}/end-others`, cross)).status).toBe(403)
    expect((await laptop.post(`${MOUNT}/end-others`, { headers: { ...SAME_ORIGIN, ...JSON_ONLY } })).body).toEqual({
      ended: 1,
    })
    expect(await phone.user()).toBe('nobody')
  })

  test.each([
    ['throws', () => fail()],
    ['rejects', async () => fail()],
    ['returns a number', () => 7],
    ['returns a Buffer', () => Buffer.from('own')],
    ['returns null', () => null],
  ])(
    'that %s is an error for the application’s own page, with the headers of the application',
    async (_what, render) => {
      const before = (_req: unknown, res: ServerResponse, next: () => void) => {
        res.setHeader('Content-Security-Policy', ["img-src 'self'", "script-src 'self'"])
        res.setHeader('Referrer-Policy', 'no-referrer')
        next()
      }
      const rendering = (page: unknown, req: unknown, res: ServerResponse) => {
        res.appendHeader('Set-Cookie', 'seen=1')
        return (render as (...args: unknown[]) => never)(page, req, res)
      }
      const laptop = await new Browser(open({ render: rendering, before: [before as never] })).logIn()
      const { status, text, headers } = await laptop.get(MOUNT)
      expect([status, text]).toEqual([500, expect.stringMatching(/^500 (oops$|"render" option)/)])
      expect(headers).toMatchObject({
        'content-security-policy': "img-src 'self', script-src 'self'",
        'referrer-policy': 'no-referrer',
        'set-cookie': ['seen=1'],
      })
      expect(headers).not.toHaveProperty('content-type')
      expect(headers).not.toHaveProperty('vary')
    },
  )

  test('that fails after it has answered leaves the answer alone', async () => {
    const render = (_page: unknown, _req: unknown, res: ServerResponse) => {
      res.writeHead(200).end('own')
      fail()
    }
    const before = (_req: unknown, res: ServerResponse, next: () => void) => {
      // The error handler of the site would write to an answer that is over.
      Object.defineProperty(res, 'statusCode', { set: () => {}, get: () => 200 })
      next()
    }
    const laptop = await new Browser(open({ render, before: [before as never] })).logIn()
    expect((await laptop.get(MOUNT)).text).toBe('own')
  })
})

describe('the policy of the page', () => {
  const before = (_req: unknown, res: ServerResponse, next: () => void) => {
    res.setHeader('Content-Security-Policy', "default-src 'self'")
    next()
  }

  test.each([
    [
      'is strict unless the application says otherwise',
      undefined,
      /^default-src 'self', default-src 'none'; style-src 'self'/,
    ],
    [
      'is the option',
      "script-src 'self'; frame-ancestors 'none'",
      /^default-src 'self', script-src 'self'; frame-ancestors 'none'$/,
    ],
    ['is that of the application alone with false', false, /^default-src 'self'$/],
  ] as const)('%s', async (_what, contentSecurityPolicy, expected) => {
    const options = contentSecurityPolicy === undefined ? {} : { contentSecurityPolicy }
    const laptop = await new Browser(open({ ...options, before: [before as never] })).logIn()
    expect((await laptop.get(MOUNT)).headers['content-security-policy']).toMatch(expected)
  })

  test.each([
    ['"render" option', { render: 'devices' }],
    ['"render" option', { render: null }],
    ['"contentSecurityPolicy" option must be a policy', { contentSecurityPolicy: true }],
    ['"contentSecurityPolicy" option must be a policy', { contentSecurityPolicy: '' }],
    [
      '"contentSecurityPolicy" option must be one line',
      { contentSecurityPolicy: "img-src 'self';\n script-src 'self'" },
    ],
  ])('a TypeError says %s', (message, options) => {
    expect(() => sessionRouter({ store, ...options } as never)).toThrow(TypeError)
    expect(() => sessionRouter({ store, ...options } as never)).toThrow(message)
  })
})

function fail(): never {
  throw new Error('oops')
}
