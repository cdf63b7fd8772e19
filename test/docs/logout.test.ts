import { readFileSync } from 'node:fs'
import { backchannelLogout, endSession, RedisStore, type SecureSessionOptions, secureSession } from 'connect-redis-hash'
import express from 'express'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import request from 'supertest'
import { example } from '../support/markdown.js'
import { connect, freshPrefix } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const PAGE = 'docs/logout.md'
const client = connect()
const prefix = freshPrefix()

afterAll(async () => {
  await new RedisStore({ client, prefix }).clear()
  await client.quit()
})

function run(name: string, scope: Record<string, unknown>, last = ''): unknown {
  return new Function(...Object.keys(scope), example(PAGE, 'run', name) + last)(...Object.values(scope))
}

test('docs/logout.md: the route logs out, and expires the cookie', async () => {
  const app = express()
  const options = { client, prefix, secret: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT', cookie: { secure: false } }
  app.use(
    secureSession({ ...options, user: (held: Bag) => held.userId } as SecureSessionOptions) as express.RequestHandler,
  )
  run('logout', { app, endSession })
  app.get('/login', (req, res) => {
    ;(req.session as Bag).userId = 'ada'
    res.end()
  })
  const browser = request.agent(app)
  await browser.get('/login').expect(200)
  const bye = await browser.post('/logout').expect(302)
  expect(bye.headers['set-cookie']).toEqual([expect.stringMatching(/^sid=; Path=\/; Expires=Thu, 01 Jan 1970/)])
  expect(bye.headers['cache-control']).toBe('no-store')
})

test('docs/logout.md: the provider ends a session', async () => {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), alg: 'RS256' }] }
  const app = express()
  const scope = {
    ...{ app, client, clientId: 'shop' },
    RedisStore: class extends RedisStore {
      constructor(options: object) {
        super({ ...options, prefix } as never)
      }
    },
    backchannelLogout: (options: Bag) => backchannelLogout({ ...options, jwks }),
  }
  const store = run('provider', scope, 'return store') as RedisStore
  await store.set('x', { cookie: {}, userId: 'ada', oidc: { sid: 's', sub: 'ada' } } as Bag)
  const now = Math.floor(Date.now() / 1000)
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  const claims = { iss: 'https://id.example.com', aud: 'shop', iat: now, exp: now + 60, jti: '1', events, sid: 's' }
  const token = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'logout+jwt' }).sign(privateKey)
  await request(app).post('/backchannel-logout').type('form').send({ logout_token: token }).expect(200)
  expect(await store.exists('x')).toBe(false)
  await store.close()
})

test('docs/logout.md: says of everything that keeps a login when it ends', () => {
  const [, table = ''] = readFileSync(PAGE, 'utf8').split('## Who keeps a login')
  const rows = table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| what'))
  const subjects = ['in Redis', 'session cookie', 'bound cookie', 'level', 'at the provider']
  expect(rows).toHaveLength(subjects.length)
  subjects.forEach((subject, at) => {
    const [, who = '', ends = '', by = ''] = (rows[at] as string).split('|').map((cell) => cell.trim())
    expect(who).toContain(subject)
    expect([ends, by].every((cell) => cell !== '')).toBe(true)
  })
})
