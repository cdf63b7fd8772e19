import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisStore, type RedisStoreOptions, sessionRouter } from 'connect-redis-hash'
import express from 'express'
import request from 'supertest'
import { example } from '../support/markdown.js'
import { connect, freshPrefix } from '../support/redis.js'
import { packageHere, runExample } from '../support/run-example.js'

const PAGE = 'docs/sessions-by-user.md'
const client = connect()
const prefix = freshPrefix()
afterAll(() => client.quit())

/** The store of the examples, with the keys of this test. */
class RedisStoreHere extends RedisStore {
  constructor(options: RedisStoreOptions) {
    super({ ...options, prefix, timeout: 60_000 })
  }
}

test('the sessions of a user are found and ended as the comments say', async () => {
  const made = new RedisStoreHere({ client, indexes: { user: (held) => held.userId } })
  const make = (sid: string) => made.set(sid, { userId: 'u-1', cookie: { originalMaxAge: null } } as never)
  for (const sid of ['a', 'b', 'c']) await make(sid)
  const results: unknown[] = []
  const handle = (await made.info('a'))?.handle
  const body = example(PAGE, 'run', 'indexes').replace(/^await (.+?\))\s+\/\/.*$/gm, 'results.push(await $1)')
  const scope = { RedisStore: RedisStoreHere, client, sid: 'a', handle, results }
  await asyncFunction(...Object.keys(scope), body)(...Object.values(scope))
  const info = { handle: expect.any(String), indexes: { user: ['u-1'] } }
  const whole = expect.objectContaining({ ...info, createdAt: expect.any(Date), seenAt: expect.any(Date) })
  expect(results).toEqual([[whole, whole, whole], 3, 2, 1, 0])
  expect(await made.length()).toBe(0)
})

test('validate of the example ends sessions from before a change of password', async () => {
  const users = { find: async (id: string) => (id === 'ada' ? { passwordVersion: 2 } : undefined) }
  const body = `${example(PAGE, 'run', 'validate')}\nreturn store`
  const scope = { RedisStore: RedisStoreHere, client, users }
  const made = (await asyncFunction(...Object.keys(scope), body)(...Object.values(scope))) as unknown as RedisStore
  const make = (sid: string, data: object) => made.set(sid, { cookie: { originalMaxAge: null }, ...data } as never)
  await make('new', { userId: 'ada', passwordVersion: 2 })
  await make('old', { userId: 'ada', passwordVersion: 1 })
  await make('nobody', {})
  await make('deleted', { userId: 'bob', passwordVersion: 1 })
  const alive = await Promise.all(
    ['new', 'old', 'nobody', 'deleted'].map(async (sid) => (await made.get(sid)) !== null),
  )
  expect(alive).toEqual([true, false, true, false])
  await made.clear()
})

test('the devices page of the example lists the own sessions by name, and ends all others', async () => {
  const process = { env: { SESSION_SECRET: randomBytes(32).toString('base64') } }
  const modules = { express, 'connect-redis-hash': packageHere(client, prefix) }
  const made = await runExample(PAGE, 'devices', { modules, scope: { process }, after: 'return [app, sessions.store]' })
  const [app, store] = made as [express.Express, RedisStore]
  app.post('/login/:user', (req, res) => {
    Object.assign(req.session, { userId: req.params.user })
    res.end()
  })
  const tls = {
    'X-Forwarded-Proto': 'https',
    'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  }
  const logIn = async () => {
    const { headers } = await request(app).post('/login/ada').set(tls).expect(200)
    return { ...tls, Cookie: headers['set-cookie']?.[0]?.split(';')[0] as string }
  }
  const [here, there] = [await logIn(), await logIn()]
  const page = await request(app).get('/account/sessions').set(here).expect(200)
  expect(page.text.match(/<h2><bdi>Firefox on Linux/g)).toHaveLength(2)
  expect(page.text).toContain('href="/account"')
  const json = { Accept: 'application/json', Host: 'shop.example' }
  const list = await request(app).get('/account/sessions').set(here).set(json).expect(200)
  const time = expect.any(String)
  const listed = { handle: expect.any(String), createdAt: time, seenAt: time, client: 'Firefox on Linux' }
  expect(list.body.sessions).toEqual([
    { ...listed, current: true },
    { ...listed, current: false },
  ])
  const end = () => request(app).post('/account/sessions/end-others').set(here).set(json)
  await end().expect(403)
  await end().set('Origin', 'https://shop.example').expect(200, { ended: 1 })
  await request(app).get('/account/sessions').set(there).set(json).expect(401)
  await store.clear()
})

/** An app with the sessions of one example and the router of another; Ada is logged in with two browsers. */
async function withOwnPage(name: string) {
  const process = { env: { SESSION_SECRET: randomBytes(32).toString('base64') } }
  const modules = { express, 'connect-redis-hash': packageHere(client, prefix) }
  const made = await runExample(PAGE, 'devices', { modules, scope: { process }, after: 'return sessions' })
  const sessions = made as { store: RedisStore } & express.RequestHandler
  const app = express().set('trust proxy', 1)
  app.use(sessions)
  app.post('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  await runExample(PAGE, name, { scope: { app, sessions, sessionRouter } })
  const tls = { 'X-Forwarded-Proto': 'https', Host: 'shop.example' }
  const logIn = async () => {
    const { headers } = await request(app).post('/login').set(tls).expect(200)
    return { ...tls, Cookie: headers['set-cookie']?.[0]?.split(';')[0] as string }
  }
  return { app, store: sessions.store, cookies: [await logIn(), await logIn()] as const }
}

test('the page of the example speaks the language that a browser asks for', async () => {
  const { app, store, cookies } = await withOwnPage('words')
  const ask = (language: string) =>
    request(app).get('/account/sessions').set(cookies[0]).set('Accept-Language', language).expect(200)
  const german = (await ask('de-AT, de;q=0.9, en;q=0.5')).text
  expect(german).toMatch(/<html lang="de">.+<h1>Deine Geräte<.+Das andere Gerät abmelden/s)
  expect((await ask('en')).text).toMatch(/<html lang="en">.+<h1>Your devices<.+Log out the other device/s)
  expect((await ask('fr')).text).toContain('<html lang="en">')
  await store.clear()
})

test('the view of the example shows the sessions, and its forms end them', async () => {
  const { app, store, cookies } = await withOwnPage('design')
  const views = mkdtempSync(join(tmpdir(), 'views-'))
  writeFileSync(join(views, 'devices.ejs'), example(PAGE, 'run', 'view'))
  app.set('views', views)
  const page = await request(app).get('/account/sessions').set(cookies[0]).expect(200)
  expect(page.headers['content-security-policy']).toBe("default-src 'self'; frame-ancestors 'none'")
  expect(page.text).toMatch(/<h1>Your devices<.+In use now.+Last seen a moment ago.+Log out the other device/s)
  const handles = [...page.text.matchAll(/name="handle" value="([^"]+)"/g)].map(([, handle]) => handle)
  const [, action = ''] = /action="([^"]+)"/.exec(page.text) ?? []
  const { pathname } = new URL(action, 'https://shop.example/account/sessions')
  const answer = await request(app)
    .post(pathname)
    .set({ ...cookies[0], 'Sec-Fetch-Site': 'same-origin' })
    .type('form')
    .send({ handle: handles[1] })
    .expect(303)
  const next = new URL(answer.headers.location as string, `https://shop.example${pathname}`)
  const after = await request(app)
    .get(next.pathname + next.search)
    .set(cookies[0])
    .expect(200)
  expect(after.text).toContain('<p role="status">One device was logged out.</p>')
  expect(after.text).not.toContain('<button>Log out the other')
  rmSync(views, { recursive: true })
  await store.clear()
})

test('the activity of the example is counted', async () => {
  const printed: unknown[] = []
  const [create = '', look = ''] = example(PAGE, 'run', 'activity').split('\n\n')
  const scope = { RedisStore: RedisStoreHere, client, console: { log: (what: unknown) => printed.push(what) } }
  // No hour may end between the visits and the question.
  jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2026, 4, 17, 12, 30, 30))
  const body = `${create}\nawait come(store)\n${look}\nawait store.close()`
  const come = async (made: RedisStore) => {
    for (const [sid, userId] of Object.entries({ a: 'ada', b: 'ada', c: 'bob', d: 'eve' })) {
      await made.set(sid, { userId, cookie: { originalMaxAge: null } } as never)
      await made.get(sid)
    }
    await made.clear()
  }
  await asyncFunction(...Object.keys(scope), 'come', body)(...Object.values(scope), come)
  jest.restoreAllMocks()
  expect(printed).toEqual([{ at: expect.any(Date), users: 3, sessions: 4 }, expect.any(Number)])
  const left = await client.keys(`idx:${prefix}*`)
  await client.del(...left)
})

// biome-ignore lint/suspicious/noExplicitAny: the parameters are named by the caller
function asyncFunction(...parts: string[]): (...args: any[]) => Promise<void> {
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor
  return AsyncFunction(...parts) as never
}
