import type { Server } from 'node:http'
import { RedisStore, type SessionContent, sessionRouter } from 'connect-redis-hash'
import express from 'express'
import { Redis } from 'ioredis'
import { badLineTo } from '../support/bad-line.js'
import { watchCommands } from '../support/commands.js'
import { makeMany } from '../support/many-sessions.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'
import { until } from '../support/until.js'
import { Browser, DATA, FRAMEWORKS, IPHONE, JSON_ONLY, MOUNT, type Options, SAME_ORIGIN, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: SessionContent) => held.userId }
const store = new RedisStore({ client, prefix, indexes })
store.setMaxListeners(0)
const servers: Server[] = []

function open(...args: Parameters<typeof site>): Server {
  const server = site(...args)
  servers.push(server)
  return server
}

afterEach(() => store.clear())
afterAll(async () => {
  for (const server of servers) server.close()
  await client.quit()
})

/** Two of Ada's browsers, and one of Bob's. */
async function people(server: Server) {
  const laptop = await new Browser(server).logIn('ada')
  const phone = await new Browser(server, IPHONE).logIn('ada')
  const bob = await new Browser(server).logIn('bob')
  return { laptop, phone, bob }
}

describe.each(Object.entries(FRAMEWORKS))('on %s', (_name, framework) => {
  const server = open(store, { framework })

  test('the list has the own sessions and no others, and marks this one', async () => {
    const { laptop, phone, bob } = await people(server)
    const answer = await laptop.get(MOUNT, JSON_ONLY)
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store'])
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    const [here, there] = [(await store.info(laptop.sid))?.handle, (await store.info(phone.sid))?.handle]
    expect(answer.body).toEqual({
      sessions: [
        { handle: here, createdAt: time, seenAt: time, current: true, client: 'Firefox on Linux' },
        { handle: there, createdAt: time, seenAt: time, current: false, client: 'Safari on iOS, phone' },
      ],
    })
    expect((await phone.list())[0]).toMatchObject({ handle: there, current: true })
    expect(await bob.list()).toEqual([expect.objectContaining({ current: true })])
  })

  test('a session that is bound to its device is shown as such', async () => {
    const { laptop, phone } = await people(server)
    await client.hset(prefix + phone.sid, '@dk', 'A'.repeat(44))
    const [here, there] = await laptop.list()
    expect([here, there]).toEqual([
      expect.not.objectContaining({ deviceBound: expect.anything() }),
      expect.objectContaining({ deviceBound: true }),
    ])
    const page = (await laptop.get(MOUNT)).text
    expect(page.split('bound to its device')).toHaveLength(2)
  })

  test('a browser gets a page with a form for each of them, whose links lead to the router', async () => {
    const { laptop, phone, bob } = await people(server)
    const handles = await Promise.all([laptop, phone, bob].map((browser) => browser.handle()))
    for (const path of [MOUNT, `${MOUNT}/`, `${MOUNT}?a=/b`]) {
      const page = await laptop.get(path, { Accept: 'text/html,application/json' })
      expect(page.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
      expect(handles.map((handle) => page.text.includes(`name="handle" value="${handle}"`))).toEqual([
        true,
        true,
        false,
      ])
      expect(page.text.match(/This device/g)).toHaveLength(1)
      expect(page.text).not.toMatch(/<script|<style|\sstyle=|\son\w+=/)
      for (const [, link = ''] of page.text.matchAll(/(?:href|action)="([^"]+)"/g)) {
        const { pathname } = new URL(link, `http://localhost${path}`)
        expect([`${MOUNT}/style.css`, `${MOUNT}/end`, `${MOUNT}/end-others`]).toContain(pathname)
      }
    }
    const style = await laptop.get(`${MOUNT}/style.css`)
    expect([style.status, style.headers['content-type']]).toEqual([200, 'text/css; charset=utf-8'])
  })

  test('one that is ended is anonymous from then on, and the list says so', async () => {
    const { laptop, phone } = await people(server)
    const answer = await laptop.end(await phone.handle())
    expect([answer.status, answer.headers['cache-control']]).toEqual([303, 'no-store'])
    expect(new URL(answer.headers.location as string, `http://localhost${MOUNT}/end`).pathname).toBe(`${MOUNT}/`)
    expect([await laptop.user(), await phone.user()]).toEqual(['ada', 'nobody'])
    expect(await laptop.list()).toHaveLength(1)
    expect((await phone.get(MOUNT, JSON_ONLY)).status).toBe(401)
  })

  test('all others are ended, but not this one, nor another user’s', async () => {
    const { laptop, phone, bob } = await people(server)
    const third = await new Browser(server).logIn('ada')
    const answer = await laptop.post(`${MOUNT}/end-others`, { headers: { ...SAME_ORIGIN, ...JSON_ONLY } })
    expect([answer.status, answer.body]).toEqual([200, { ended: 2 }])
    const users = await Promise.all([laptop, phone, third, bob].map((browser) => browser.user()))
    expect(users).toEqual(['ada', 'nobody', 'nobody', 'bob'])
  })

  test('ending the own session is a logout', async () => {
    const { laptop, phone } = await people(server)
    const answer = await laptop.end(await laptop.handle())
    expect(answer.status).toBe(303)
    expect(answer.headers['set-cookie']).toEqual([
      expect.stringMatching(/^connect\.sid=; Path=\/; Expires=Thu, 01 Jan 1970/),
    ])
    expect([await laptop.user(), await phone.user()]).toEqual(['nobody', 'ada'])
    expect(await store.length()).toBe(2)
  })

  test.each(['of somebody else', 'of nobody'])('a handle %s is not found, and ends nothing', async (whose) => {
    const { laptop, bob } = await people(server)
    const handle = whose === 'of nobody' ? 'x'.repeat(22) : await bob.handle()
    expect((await laptop.end(handle)).status).toBe(404)
    const answer = await laptop.end(handle, { headers: { ...SAME_ORIGIN, ...JSON_ONLY } })
    expect([answer.status, answer.body]).toEqual([404, { error: 'there is no such session' }])
    expect([await bob.user(), await store.length()]).toEqual(['bob', 3])
  })

  test('visitors who are not logged in get a 401, and end nothing', async () => {
    const { phone } = await people(server)
    const visitor = new Browser(server)
    expect((await visitor.get(MOUNT)).text).toBe('401 you are not logged in')
    expect((await visitor.get(MOUNT, JSON_ONLY)).body).toEqual({ error: 'you are not logged in' })
    expect((await visitor.end(await phone.handle())).status).toBe(401)
    expect((await visitor.post(`${MOUNT}/end-others`)).status).toBe(401)
    expect(await store.length()).toBe(3)
  })

  test('other paths and methods are not the router’s', async () => {
    const { laptop } = await people(server)
    expect((await laptop.get(`${MOUNT}/end`)).text).toBe('no such page')
    expect((await laptop.get(`${MOUNT}/__proto__`)).text).toBe('no such page')
    expect((await laptop.post(MOUNT)).text).toBe('no such page')
  })

  const json = (body: unknown) => ({ type: 'application/json', body: JSON.stringify(body) })
  const form = (body: string) => ({ type: 'application/x-www-form-urlencoded', body })
  test.each([
    ['a form of 10 kB', form(`handle=${'x'.repeat(10_000)}`), 413],
    ['a form of 10 kB that does not say so', { ...form(`handle=${'x'.repeat(10_000)}`), chunked: true }, 413],
    ['JSON of 10 kB', json({ handle: 'x', more: 'x'.repeat(10_000) }), 413],
    ['broken JSON', { type: 'application/json', body: '{"handle":' }, 400],
    ['JSON null', json(null), 400],
    ['a handle that is a list', json({ handle: ['x'] }), 400],
    ['a handle that is an object', json({ handle: { length: 1 } }), 400],
    ['a handle on the prototype', { type: 'application/json', body: '{"__proto__":{"handle":"x"}}' }, 400],
    ['an empty handle', form('handle='), 400],
    ['two handles', form('handle=a&handle=b'), 400],
    ['no handle', form('thorough=true'), 400],
    ['no body', form(''), 400],
    ['plain text', { type: 'text/plain', body: 'handle=x' }, 415],
    ['multipart', { type: 'multipart/form-data; boundary=x', body: '--x--' }, 415],
  ])(
    '%s is refused, and ends nothing',
    async (_what, post: { type: string; body: string; chunked?: boolean }, status) => {
      const { laptop } = await people(server)
      const headers = { ...SAME_ORIGIN, ...JSON_ONLY }
      expect((await laptop.post(`${MOUNT}/end`, { ...post, headers })).status).toBe(status)
      expect(await store.length()).toBe(3)
    },
  )
})

describe('a body', () => {
  test('as JSON names the session, too', async () => {
    const { laptop, phone } = await people(open(store))
    const body = JSON.stringify({ handle: await phone.handle() })
    const answer = await laptop.post(`${MOUNT}/end`, {
      type: 'application/json; charset=utf-8',
      body,
      headers: { ...SAME_ORIGIN, ...JSON_ONLY },
    })
    expect([answer.status, answer.body]).toEqual([200, { ended: 1 }])
    expect(await phone.user()).toBe('nobody')
  })

  test.each([
    ['another middleware has parsed', express.urlencoded({ extended: true })],
    ['a parser of another type has left alone', express.json()],
  ])('that %s names the session', async (_what, parser) => {
    const { laptop, phone } = await people(open(store, { before: [parser as never] }))
    expect((await laptop.end(await phone.handle())).status).toBe(303)
    expect(await phone.user()).toBe('nobody')
    expect((await laptop.end('')).status).toBe(400)
    for (const body of ['handle[a]=b', 'other=x', '']) {
      expect([body, (await laptop.post(`${MOUNT}/end`, { body })).status]).toEqual([body, 400])
    }
  })
})

describe('a request from another page', () => {
  const server = open(store)
  const own = (scheme: string) => ({ Host: 'shop.example', Origin: `${scheme}://shop.example` })

  test.each([
    ['a cross-site Sec-Fetch-Site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a cross-site Sec-Fetch-Site and the right Origin', { ...own('https'), 'Sec-Fetch-Site': 'cross-site' }],
    ['Sec-Fetch-Site of a sibling subdomain', { 'Sec-Fetch-Site': 'same-site' }],
    ['Sec-Fetch-Site none', { 'Sec-Fetch-Site': 'none' }],
    ['an Origin of another site', { Host: 'shop.example', Origin: 'https://evil.example' }],
    ['an Origin that begins alike', { Host: 'shop.example', Origin: 'https://shop.example.evil.example' }],
    ['an Origin of another port', { Host: 'shop.example', Origin: 'https://shop.example:8443' }],
    ['an Origin of another scheme', { Host: 'shop.example', Origin: 'ftp://shop.example' }],
    ['a Host that hides another', { Host: 'x@evil.example', Origin: 'https://evil.example' }],
    ['the Origin of a sandbox', { Host: 'shop.example', Origin: 'null' }],
    ['neither header', {}],
    ['a Referer alone', { Host: 'shop.example', Referer: 'https://shop.example/' }],
  ])('with %s is refused, and ends nothing', async (_what, headers) => {
    const { laptop, phone } = await people(server)
    const handle = await phone.handle()
    expect((await laptop.end(handle, { headers: headers as Record<string, string> })).status).toBe(403)
    expect((await laptop.post(`${MOUNT}/end-others`, { headers: headers as Record<string, string> })).status).toBe(403)
    expect(await store.length()).toBe(3)
  })

  test.each([
    ['the own Origin', own('https')],
    ['the own Origin over plain HTTP', own('http')],
    ['a Host with the default port, in capitals', { Host: 'SHOP.example:443', Origin: 'https://shop.example' }],
    ['an Origin with a port', { Host: 'localhost:3000', Origin: 'http://localhost:3000' }],
    ['an IPv6 Origin', { Host: '[::1]:3000', Origin: 'http://[::1]:3000' }],
  ])('no: with %s it is taken', async (_what, headers) => {
    const { laptop, phone } = await people(server)
    expect((await laptop.end(await phone.handle(), { headers })).status).toBe(303)
    expect(await phone.user()).toBe('nobody')
  })

  test('that came without TLS is refused where the visitor came with it', async () => {
    const tls = (req: object, _res: unknown, next: () => void) => {
      Object.defineProperty(req, 'protocol', { value: 'https' })
      next()
    }
    const { laptop } = await people(open(store, { before: [tls as never] }))
    expect((await laptop.post(`${MOUNT}/end-others`, { headers: own('http') })).status).toBe(403)
    expect((await laptop.post(`${MOUNT}/end-others`, { headers: own('https') })).status).toBe(303)
  })
})

describe('a login that is stale', () => {
  const stale = async (options: Options) => {
    const { laptop, phone } = await people(open(store, options))
    await passTime(client, prefix + laptop.sid, 301_000)
    return { laptop, phone, handle: await phone.handle() }
  }

  test('sees the list and ends nothing', async () => {
    const { laptop, phone, handle } = await stale({})
    expect(await laptop.list()).toHaveLength(2)
    expect((await laptop.end(handle)).status).toBe(401)
    const answer = await laptop.post(`${MOUNT}/end-others`, { headers: { ...SAME_ORIGIN, ...JSON_ONLY } })
    expect([answer.status, answer.body.code]).toEqual([401, 'ERR_SESSION_LOGIN_NOT_FRESH'])
    expect(await phone.user()).toBe('ada')
  })

  test('is the application’s to answer, and ends nothing', async () => {
    const { laptop, phone, handle } = await stale({
      onStale: (_req, res) => void res.writeHead(303, { Location: '/confirm' }).end(),
    })
    expect((await laptop.end(handle)).headers.location).toBe('/confirm')
    expect(await phone.user()).toBe('ada')
  })

  test('is an error where the application fails to answer', async () => {
    const { laptop, phone, handle } = await stale({ onStale: (async () => Promise.reject(new Error('oops'))) as never })
    expect((await laptop.end(handle)).text).toBe('500 oops')
    expect(await phone.user()).toBe('ada')
  })

  test('may be older where the application says so', async () => {
    const { laptop, phone, handle } = await stale({ within: 600 })
    expect((await laptop.end(handle)).status).toBe(303)
    expect(await phone.user()).toBe('nobody')
  })
})

test('of a session that ends itself, nothing more is saved', async () => {
  const write = (req: object, _res: unknown, next: () => void) => {
    const { session } = req as { session?: object }
    if (session !== undefined) Object.assign(session, { seen: process.hrtime.bigint().toString() })
    next()
  }
  const own = new RedisStore({ client, prefix, indexes })
  const laptop = await new Browser(open(own, { before: [write as never] })).logIn()
  expect((await laptop.end(await laptop.handle())).status).toBe(303)
  expect([own.counters.refused, await store.length()]).toEqual([0, 0])
})

describe('what is shown', () => {
  test('is escaped', async () => {
    const server = open(store, { back: '/a"b' })
    const { laptop, phone } = await people(server)
    await client.hset(prefix + phone.sid, '@client', `<img src=x onerror="alert('&')">`)
    const { text } = await laptop.get(MOUNT)
    expect(text).toContain('&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;')
    expect(text).not.toContain('<img')
    expect(text).toContain('href="/a&quot;b"')
    const odd = await laptop.get(`${MOUNT}/?"><img>`)
    expect(odd.text).not.toContain('"><img>')
  })

  test('has no id, key or data of a session, in no answer', async () => {
    const { laptop, phone, bob } = await people(open(store))
    const sids = [laptop.sid, phone.sid, bob.sid]
    await laptop.get(MOUNT)
    await laptop.list()
    await laptop.end(await bob.handle(), { headers: { ...SAME_ORIGIN, ...JSON_ONLY } })
    await laptop.end(await phone.handle())
    await laptop.post(`${MOUNT}/end-others`, { headers: { ...SAME_ORIGIN, ...JSON_ONLY } })
    const texts = laptop.answers.map(
      ({ text, headers: { 'set-cookie': _, ...headers } }) => text + JSON.stringify(headers),
    )
    for (const secret of [...sids, prefix, DATA]) expect(texts.filter((text) => text.includes(secret))).toEqual([])
    expect(texts.length).toBeGreaterThan(5)
  })

  test('has no label unless bindClient makes one', async () => {
    const { laptop } = await people(open(store, { label: false }))
    expect(Object.keys((await laptop.list())[0] as object)).toEqual(['handle', 'createdAt', 'seenAt', 'current'])
    expect((await laptop.get(MOUNT)).text).not.toContain('Firefox')
  })

  test('is kept from other sites’ frames, and lets the form say where it comes from', async () => {
    const { laptop } = await people(open(store))
    const { headers } = await laptop.get(MOUNT)
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers['referrer-policy']).toBe('same-origin')
  })
})

describe('while Redis fails', () => {
  test.each(['hold', 'mute'] as const)('(%s) no answer is a success', async (how) => {
    const line = await badLineTo(socketPath())
    const redis = new Redis(line.path, { maxRetriesPerRequest: 1 })
    // It connects first, however long that takes.
    await new RedisStore({ client: redis, timeout: 10_000 }).ping()
    const away = new RedisStore({ client: redis, prefix, indexes, timeout: 1000 })
    let isFailing = false
    const fail = (_req: unknown, _res: unknown, next: () => void) => {
      if (isFailing) line[how]()
      next()
    }
    const { laptop, phone } = await people(open(away, { before: [fail as never] }))
    const handle = await phone.handle()
    const statuses: number[] = []
    for (const headers of [SAME_ORIGIN, { ...SAME_ORIGIN, ...JSON_ONLY }]) {
      for (const ask of [
        () => laptop.get(MOUNT, headers),
        () => laptop.end(handle, { headers }),
        () => laptop.post(`${MOUNT}/end-others`, { headers }),
      ]) {
        isFailing = true
        statuses.push((await ask()).status)
        isFailing = false
        line.cut()
        line.release()
        await redis.ping()
      }
    }
    expect(statuses).toEqual(Array(6).fill(503))
    if (how === 'hold') expect(await phone.user()).toBe('ada')
    await away.close()
    redis.disconnect()
    await line.close()
  })
})

describe('of a user with more sessions than a page shows', () => {
  const own = freshPrefix()
  const crowded = new RedisStore({ client, prefix: own, indexes })
  const server = open(crowded)

  test('the newest 50 are looked at and shown, this one first, and how many more there are', async () => {
    const laptop = await new Browser(server).logIn('ada')
    // The first response with an unchanged session shows whether `session()` has `rolling`.
    await laptop.get(MOUNT, JSON_ONLY)
    await makeMany(client, own, 'ada', 230)
    const log = await watchCommands(client, own)
    const { body } = await laptop.get(MOUNT, JSON_ONLY)
    const looked = (await log.take()).filter(([name]) => name === 'hmget')
    log.stop()
    expect(looked.length).toBeLessThanOrEqual(51)
    expect([body.sessions.length, body.more]).toEqual([50, 181])
    expect(body.sessions[0]).toMatchObject({ current: true })
    const seen = body.sessions.slice(1).map(({ seenAt }: { seenAt: string }) => seenAt)
    expect(seen).toEqual(seen.toSorted().reverse())
    const page = (await laptop.get(MOUNT, { Accept: 'text/html' })).text
    expect(page).toContain('<p class="more">and 181 more</p>')
    expect(page).toContain('Log out the 230 other devices')
    expect((await laptop.post(`${MOUNT}/end-others`, { headers: { ...SAME_ORIGIN, ...JSON_ONLY } })).body).toEqual({
      ended: 230,
    })
    expect((await laptop.get(MOUNT, JSON_ONLY)).body.more).toBeUndefined()
    await crowded.clear()
  })
})

describe('options', () => {
  test.each([
    ['sessionRouter takes an options object', undefined],
    ['"store" option', {}],
    ['"store" option', { store: {} }],
    ['"store" option must have the index of users', { store: new RedisStore({ client, prefix }) }],
    ['"store" option must have the index of users', { store: new RedisStore({ client, prefix }), user: () => 'ada' }],
    ['"user" option', { store, user: 'ada' }],
    ['"within" option', { store, within: 0 }],
    ['"onStale" option', { store, onStale: 303 }],
    ['"back" option', { store, back: 'https://evil.example' }],
    ['"back" option', { store, back: '//evil.example' }],
    ['sessionRouter has no option "whithin"', { store, whithin: 1 }],
  ])('a TypeError says %s', (message, options) => {
    expect(() => sessionRouter(options as never)).toThrow(TypeError)
    expect(() => sessionRouter(options as never)).toThrow(message)
  })

  test('user is whose sessions they are', async () => {
    const { laptop, bob } = await people(open(store, { user: () => 'bob' }))
    expect((await laptop.list()).map(({ handle }) => handle)).toEqual([(await store.info(bob.sid))?.handle])
  })

  test('a user that is a promise is an error', async () => {
    const { laptop } = await people(open(store, { user: (async () => 'ada') as never }))
    expect((await laptop.get(MOUNT)).text).toMatch(/^500 "user" option/)
  })

  test('the store of another session() is an error, and ends nothing', async () => {
    const other = new RedisStore({ client, prefix, indexes })
    const { laptop } = await people(open(store, { store: other } as Options))
    expect((await laptop.post(`${MOUNT}/end-others`)).text).toMatch(/^500 sessionRouter\(\) needs the store/)
    expect(await store.length()).toBe(3)
  })
})

test('a refusal after a time limit of the application has answered goes to its error handler', async () => {
  const laptop = await new Browser(open(store)).logIn()
  const unhandled: unknown[] = []
  const note = (err: unknown) => void unhandled.push(err)
  process.on('unhandledRejection', note)
  const failures: unknown[] = []
  const impatient = open(store, {
    before: [
      (_req, res, next) => {
        res.statusCode = 503
        res.end('too late')
        next()
      },
    ],
    failed: (err) => void failures.push(err),
  })
  const answer = await laptop.on(impatient).end('x'.repeat(22), { headers: { ...SAME_ORIGIN, ...JSON_ONLY } })
  expect([answer.status, answer.text]).toEqual([503, 'too late'])
  await until('it has failed', () => failures.length + unhandled.length > 0)
  expect([failures, unhandled]).toEqual([[expect.objectContaining({ status: expect.any(Number) })], []])
  process.off('unhandledRejection', note)
})
