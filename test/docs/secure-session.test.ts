import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type RedisStore, secureSession, TIMEOUT_PRESETS } from 'connect-redis-hash'
import express, { type Express } from 'express'
import session from 'express-session'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'
import { packageHere, runExample } from '../support/run-example.js'
import { Visitor } from '../support/visitor.js'

const PAGE = 'docs/secure-session.md'
const page = readFileSync(PAGE, 'utf8')
const client = connect()
const prefix = freshPrefix()
const modules = { express, 'express-session': session, 'connect-redis-hash': packageHere(client, prefix) }
afterAll(() => client.quit())

test('the one line of the page: a login changes the id, over TLS, behind one proxy', async () => {
  const env = { SESSION_SECRET: randomBytes(32).toString('base64'), NODE_ENV: 'production' }
  const after = 'return [app, sessions.store]'
  const [app, store] = (await runExample(PAGE, 'secure', { modules, scope: { process: { env } }, after })) as [
    Express,
    RedisStore,
  ]
  app.get('/account', (req, res) => res.json((req.session as unknown as { userId?: string }).userId ?? null))
  const login = () => request(app).post('/login/ada').set('X-Forwarded-Proto', 'https').expect(302)
  const [cookie] = (await login()).headers['set-cookie'] as unknown as string[]
  expect(cookie).toMatch(/^__Host-sid=.+; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
  const own = { 'X-Forwarded-Proto': 'https', Cookie: cookie?.split(';')[0] as string }
  await request(app).get('/account').set(own).expect(200, '"ada"')
  await login()
  await request(app).post('/logout-elsewhere').set(own).expect(302)
  expect(await store.countBy('user', 'ada')).toBe(1)
  await request(app).post('/login/ada').expect(500)
  await store.clear()
})

test('the presets are listed as they are', () => {
  const words = (seconds: number) => {
    const units: [string, number][] = [
      ['day', 86_400],
      ['hour', 3600],
      ['minute', 60],
    ]
    const fits = ([name, each]: [string, number]) => seconds % each === 0 && (name !== 'day' || seconds > each)
    const [unit, size] = units.find(fits) as [string, number]
    return `${seconds / size} ${unit}${seconds === size ? '' : 's'}`
  }
  for (const family of ['owasp', 'nist']) {
    const presets = Object.entries(TIMEOUT_PRESETS).filter(([name]) => name.startsWith(family))
    const names = presets.map(([name]) => `\`${name}\``).join(' ')
    const [idle, all] = (['idle', 'absolute'] as const).map((key) => presets.map(([, p]) => words(p[key])).join(', '))
    expect(page).toContain(`| ${names} | ${idle} | ${all} |`)
  }
})

test('every option is listed, and none that does not exist', () => {
  const [, section = ''] = page.split('## Options\n')
  const names = [...section.matchAll(/^\| (`[\w` or]+`) \| .+ \| .+ \|$/gm)].flatMap(
    ([, cell]) => cell?.match(/\w+(?=`)/g) ?? [],
  )
  const own = readFileSync('src/secure-session/options.ts', 'utf8').match(/^const OWN.+?\{\n(.+?)^\}/ms)?.[1] ?? ''
  expect(names.toSorted()).toEqual(['client', ...(own.match(/\w+(?=: 0)/g) ?? [])].toSorted())
  for (const name of names) {
    expect(() => secureSession({ [name]: undefined } as never)).toThrow(/^secureSession needs either/)
  }
})

test('one by one, in the order of the page: a login changes the id, is bound and saved', async () => {
  const process = { env: { SESSION_SECRET: 's', BINDING_SECRET: 'b' } }
  const made = await runExample(PAGE, 'order', { modules, scope: { process }, after: 'return [app, store]' })
  const [app, store] = made as [Express, RedisStore]
  app.get('/:user', (req, res) => {
    Object.assign(req.session, { userId: req.params.user })
    res.end()
  })
  const visitor = new Visitor(app)
  await visitor.get('/ada')
  const { sid } = visitor
  await visitor.get('/bob')
  expect(visitor.sid).not.toBe(sid)
  expect(await client.hmget(`${prefix}${visitor.sid}`, '@ua', '@login')).not.toContain(null)
  await store.clear()
})
