import { once } from 'node:events'
import { createServer as createHttpServer, request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as immediate } from 'node:timers/promises'
import { backchannelLogout, RedisStore, rotateSession, secureSession } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import type { Redis } from 'ioredis'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'
import { ANY_CHANNEL } from '../support/server.js'
import { until } from '../support/until.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const ISSUER = 'https://id.test'
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const admin = connect()
const username = 'backchannel-logout'
const prefix = freshPrefix()
let client: Redis
let store: RedisStore
let server: Server
let keys: Awaited<ReturnType<typeof generateKeyPair>>
let jwks: { keys: object[] }
let jti = 0
let options: Parameters<typeof backchannelLogout>[0]

const index = (held: Bag) => [held.sid, held.sub].filter(Boolean)

beforeAll(async () => {
  await admin.acl('SETUSER', username, 'on', '>p', '~*', ...ANY_CHANNEL, '+@all')
  client = connect({ username, password: 'p', maxRetriesPerRequest: 1 })
  store = new RedisStore({ client, prefix, indexes: { oidc: index, other: (held: Bag) => held.sid } })
  keys = await generateKeyPair('ES256')
  jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'key', alg: 'ES256', use: 'sig' }] }
  options = { store, issuer: ISSUER, audience: 'shop', jwks }
  server = serve(options)
})
afterEach(async () => {
  await admin.acl('SETUSER', username, '+@all')
  await store.clear()
  for (const key of await admin.keys(`idx:${prefix}@token:*`)) await admin.del(key)
})
afterAll(async () => {
  server.close()
  client.disconnect()
  await admin.acl('DELUSER', username)
  await admin.quit()
})

function serve(given: typeof options, before: express.RequestHandler[] = []): Server {
  const app = express()
  for (const one of before) app.use(one)
  app.use('/logout', backchannelLogout(given) as express.RequestHandler)
  return createHttpServer(app).listen(0).unref()
}

const seconds = () => Math.floor(Date.now() / 1000)

function token(claims: object, header: object = {}, key: Bag = keys.privateKey): Promise<string> {
  jti += 1
  const own = {
    iss: ISSUER,
    aud: 'shop',
    iat: seconds(),
    exp: seconds() + 120,
    jti: `t${jti}`,
    events: { [EVENT]: {} },
  }
  return new SignJWT({ ...own, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'key', typ: 'logout+jwt', ...header })
    .sign(key)
}

const post = (logoutToken: string, to = server) =>
  request(to).post('/logout').type('form').send({ logout_token: logoutToken })

/** Sessions of one user at two of the provider's sessions, and of somebody else. */
async function someSessions(): Promise<void> {
  await store.set('laptop', { cookie: {}, sid: 's1', sub: 'ada' } as Bag)
  await store.set('tablet', { cookie: {}, sid: 's1', sub: 'ada' } as Bag)
  await store.set('phone', { cookie: {}, sid: 's2', sub: 'ada' } as Bag)
  await store.set('bob', { cookie: {}, sid: 's3', sub: 'bob' } as Bag)
}

async function left(): Promise<string[]> {
  const ids = ['laptop', 'tablet', 'phone', 'bob', 'plain']
  const found = await Promise.all(ids.map((id) => store.exists(id)))
  return ids.filter((_, at) => found[at])
}

describe('a logout token', () => {
  beforeEach(someSessions)

  test('with a sid ends every session under it, and no other', async () => {
    const response = await post(await token({ sid: 's1' }))
    expect([response.status, response.text, response.headers['cache-control']]).toEqual([200, '', 'no-store'])
    expect(await left()).toEqual(['phone', 'bob'])
  })

  test('with a sub ends every session under it', async () => {
    expect((await post(await token({ sub: 'ada' }))).status).toBe(200)
    expect(await left()).toEqual(['bob'])
  })

  test('with both ends the one that has the sid, also where it was gone already', async () => {
    expect((await post(await token({ sid: 's1', sub: 'ada' }))).status).toBe(200)
    expect(await left()).toEqual(['phone', 'bob'])
    expect((await post(await token({ sid: 's1', sub: 'ada' }))).status).toBe(200)
    expect(await left()).toEqual(['phone', 'bob'])
  })

  test('with both ends those under the sub that have no sid', async () => {
    await store.set('plain', { cookie: {}, sub: 'ada' } as Bag)
    expect((await post(await token({ sid: 's1', sub: 'ada' }))).status).toBe(200)
    expect(await left()).toEqual(['phone', 'bob'])
    await store.clear()
    await store.set('plain', { cookie: {}, sub: 'ada' } as Bag)
    expect((await post(await token({ sid: 's9', sub: 'ada' }))).status).toBe(200)
    expect(await left()).toEqual([])
  })

  test('that means nobody is no error', async () => {
    expect((await post(await token({ sub: 'eve' }))).status).toBe(200)
    expect(await left()).toHaveLength(4)
  })

  test('uses the index that it is told', async () => {
    const other = serve({ ...options, index: 'other' })
    expect((await post(await token({ sub: 'ada' }), other)).status).toBe(200)
    expect((await post(await token({ sid: 's3' }), other)).status).toBe(200)
    expect(await left()).toEqual(['laptop', 'tablet', 'phone'])
    other.close()
  })

  test('ends the sessions of a sub with a pipe, and of one that is very long', async () => {
    for (const sub of ['auth0|5f7c', 'x'.repeat(255), 'ü|*?[]\\']) {
      await store.set('plain', { cookie: {}, sub } as Bag)
      expect((await post(await token({ sub }))).status).toBe(200)
      expect(await store.exists('plain')).toBe(false)
    }
  })
})

describe('a request is refused, and ends nothing,', () => {
  beforeEach(someSessions)
  afterEach(async () => {
    expect(await left()).toEqual(['laptop', 'tablet', 'phone', 'bob'])
  })

  test.each<[string, () => Promise<string> | string]>([
    ['signed with another key', async () => token({ sid: 's1' }, {}, (await generateKeyPair('ES256')).privateKey)],
    [
      'with a changed payload',
      async () => {
        const [head, , signature] = (await token({ sid: 's9' })).split('.')
        const [, body] = (await token({ sid: 's1' })).split('.')
        return [head, body, signature].join('.')
      },
    ],
    [
      'unsigned',
      () =>
        new UnsecuredJWT({
          iss: ISSUER,
          aud: 'shop',
          iat: seconds(),
          exp: seconds() + 9,
          jti: 'u',
          events: { [EVENT]: {} },
          sid: 's1',
        }).encode(),
    ],
    [
      'signed with HS256 and the public key as secret',
      async () => {
        const secret = new TextEncoder().encode(JSON.stringify(jwks.keys[0]))
        return token({ sid: 's1' }, { alg: 'HS256' }, secret)
      },
    ],
    ['under a kid that the provider does not have', () => token({ sid: 's1' }, { kid: 'gone' })],
    ['of another issuer', () => token({ sid: 's1', iss: 'https://evil.test' })],
    ['for another client', () => token({ sid: 's1', aud: 'other' })],
    ['that has expired', () => token({ sid: 's1', exp: seconds() - 61 })],
    ['without exp', () => token({ sid: 's1', exp: undefined })],
    ['of the future', () => token({ sid: 's1', iat: seconds() + 90 })],
    ['with a nonce', () => token({ sid: 's1', nonce: 'n' })],
    ['without the event', () => token({ sid: 's1', events: {} })],
    ['without jti', () => token({ sid: 's1', jti: undefined })],
    ['without sid and sub', () => token({})],
    ['that is an access token', () => token({ sid: 's1' }, { typ: 'at+jwt' })],
    ['that is no token', () => 'abc'],
    ['that is empty', () => ''],
  ])('with a token %s', async (_what, make) => {
    const response = await post(await make())
    expect([response.status, response.headers['cache-control'], response.body.error]).toEqual([
      400,
      'no-store',
      'invalid_request',
    ])
  })

  test.each<[string, (text: string) => request.Test]>([
    ['as JSON', (text) => request(server).post('/logout').send({ logout_token: text })],
    ['as plain text', (text) => request(server).post('/logout').type('text').send(`logout_token=${text}`)],
    ['twice', (text) => request(server).post('/logout').type('form').send(`logout_token=${text}&logout_token=${text}`)],
    ['under another name', (text) => request(server).post('/logout').type('form').send({ token: text })],
    ['in the address', (text) => request(server).post(`/logout?logout_token=${text}`)],
    [
      'in a body that is too long',
      (text) =>
        request(server)
          .post('/logout')
          .type('form')
          .send(`x=${'x'.repeat(20_000)}&logout_token=${text}`),
    ],
  ])('with a token %s', async (_what, send) => {
    expect((await send(await token({ sid: 's1' }))).status).toBe(400)
  })

  test('with another method than POST', async () => {
    const response = await request(server).get(`/logout?logout_token=${await token({ sid: 's1' })}`)
    expect([response.status, response.headers.allow, response.headers['cache-control']]).toEqual([
      405,
      'POST',
      'no-store',
    ])
  })

  test('with a body that breaks off, without keeping anybody waiting', async () => {
    const { port } = server.address() as AddressInfo
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': 1000 }
    await new Promise<void>((resolve) => {
      const sent = httpRequest({ port, path: '/logout', method: 'POST', headers })
      sent.on('error', () => resolve())
      sent.write('logout_token=')
      sent.flushHeaders()
      setImmediate(() => sent.destroy())
    })
    expect((await request(server).get('/logout')).status).toBe(405)
  })
})

test('a token counts once, in every process: a later login survives its replay', async () => {
  await someSessions()
  const text = await token({ sub: 'ada' })
  expect((await post(text)).status).toBe(200)
  await someSessions()
  const other = serve({
    ...options,
    store: new RedisStore({ client, prefix, indexes: { oidc: (held: Bag) => held.sub } }),
  })
  const replies = [await post(text), await post(text, other)]
  expect(replies.map(({ status, body }) => [status, body.error_description])).toEqual([
    [400, 'the token was used before'],
    [400, 'the token was used before'],
  ])
  expect(await left()).toHaveLength(4)
  other.close()
})

test('what remembers a token outlives it, and no longer', async () => {
  await post(await token({ sub: 'ada', exp: seconds() + 100 }))
  const [key = ''] = await admin.keys(`idx:${prefix}@token:*`)
  expect(key).not.toContain('ada')
  expect(await admin.pttl(key)).toBeGreaterThan(150_000)
  expect(await admin.pttl(key)).toBeLessThanOrEqual(160_000)
})

test('while Redis fails, the answer is 400 and a warning; the token counts afterwards', async () => {
  await someSessions()
  const warnings: Bag[] = []
  store.on('warning', (warning) => void warnings.push(warning))
  await admin.acl('SETUSER', username, '-del', '-evalsha', '-eval')
  const text = await token({ sid: 's1' })
  const response = await post(text)
  expect([response.status, response.body.error, response.headers['cache-control']]).toEqual([
    400,
    'server_error',
    'no-store',
  ])
  expect(warnings).toEqual([
    { code: 'backchannel-logout-failed', message: expect.stringContaining('ERR_SESSION_FORBIDDEN') },
  ])
  await admin.acl('SETUSER', username, '+@all')
  expect((await post(text)).status).toBe(200)
  expect(await left()).toEqual(['phone', 'bob'])
  store.removeAllListeners('warning')
})

describe('a token with both, while a session under the sub that has no sid gets another id', () => {
  let visitor: Visitor
  let busy: RedisStore
  let rotations: number

  beforeEach(async () => {
    rotations = 0
    const app = express()
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
    app.get('/login', (req, res) => {
      Object.assign(req.session, { sub: 'ada' })
      res.end()
    })
    app.get('/rotate', async (req, res) => void res.json(await rotateSession(req)))
    app.get('/', (req: Bag, res) => void res.json(req.session.sub ?? null))
    visitor = new Visitor(app)
    await visitor.get('/login')
    // With a sid of its own, which the token does not mean.
    await store.set('phone', { cookie: {}, sid: 's2', sub: 'ada' } as Bag)
  })

  /** The session gets another id each time after the sessions of the user were looked up. */
  function siteWhere(mayRotate: () => boolean): Server {
    class Busy extends RedisStore {
      override async findBy(...args: Parameters<RedisStore['findBy']>) {
        const found = await super.findBy(...args)
        if (mayRotate()) {
          rotations += 1
          expect((await visitor.get('/rotate')).body).toBe(true)
        }
        return found
      }
    }
    busy = new Busy({ client, prefix, indexes: { oidc: index } })
    return serve({ ...options, store: busy })
  }

  test('ends it under the id that it has then, and no other', async () => {
    const site = siteWhere(() => rotations < 3)
    expect((await post(await token({ sid: 's1', sub: 'ada' }), site)).status).toBe(200)
    expect(rotations).toBe(3)
    expect((await visitor.get('/')).body).toBeNull()
    expect(await left()).toEqual(['phone'])
    site.close()
  })

  test('again and again is a failure, and the token counts when the provider sends it again', async () => {
    let isBusy = true
    const site = siteWhere(() => isBusy)
    const text = await token({ sid: 's1', sub: 'ada' })
    const warned = once(busy, 'warning')
    expect((await post(text, site)).body).toEqual({ error: 'server_error', error_description: 'the logout has failed' })
    expect(await warned).toEqual([expect.objectContaining({ code: 'backchannel-logout-failed' })])
    expect((await visitor.get('/')).body).toBe('ada')
    isBusy = false
    expect((await post(text, site)).status).toBe(200)
    expect((await visitor.get('/')).body).toBeNull()
    expect(await left()).toEqual(['phone'])
    site.close()
  })
})

test('where a time limit of the application has answered meanwhile, sessions end, and the process lives', async () => {
  await someSessions()
  const unhandled: unknown[] = []
  const note = (err: unknown) => void unhandled.push(err)
  process.on('unhandledRejection', note)
  const impatient: express.RequestHandler = (_req, res, next) => {
    res.status(503).end('too late')
    next()
  }
  const site = serve(options, [impatient])
  for (const text of [await token({ sid: 's1' }), 'no token']) {
    expect((await post(text, site)).text).toBe('too late')
  }
  await until('the token has been used', async () => (await admin.keys(`idx:${prefix}@token:*`)).length > 0)
  await client.ping()
  await immediate()
  expect(await left()).toEqual(['phone', 'bob'])
  expect(unhandled).toEqual([])
  process.off('unhandledRejection', note)
  site.close()
})

describe('the keys', () => {
  beforeEach(someSessions)

  test('are fetched from their address; out of reach, they are a warning and no verdict', async () => {
    let isUp = false
    const provider = createHttpServer((_req, res) => {
      if (!isUp) res.statusCode = 503
      res.setHeader('Content-Type', 'application/json').end(JSON.stringify(jwks))
    })
      .listen(0)
      .unref()
    const { port } = provider.address() as AddressInfo
    const site = serve({ ...options, jwks: `http://127.0.0.1:${port}/keys` })
    const warnings: string[] = []
    store.on('warning', ({ code }) => void warnings.push(code))
    const text = await token({ sid: 's1' })
    const refused = await post(text, site)
    expect([refused.status, refused.body.error, warnings]).toEqual([400, 'server_error', ['backchannel-logout-failed']])
    isUp = true
    expect((await post(text, site)).status).toBe(200)
    expect(await left()).toEqual(['phone', 'bob'])
    store.removeAllListeners('warning')
    site.close()
    provider.closeAllConnections()
    provider.close()
  })

  test('of other algorithms serve as well', async () => {
    for (const alg of ['RS256', 'PS256', 'EdDSA', 'ES384']) {
      const pair = await generateKeyPair(alg)
      const own = { keys: [{ ...(await exportJWK(pair.publicKey)), alg }] }
      const site = serve({ ...options, jwks: own })
      expect([
        alg,
        (await post(await token({ sid: 's1' }, { alg, kid: undefined }, pair.privateKey), site)).status,
      ]).toEqual([alg, 200])
      site.close()
    }
  })
})

describe('the option verify', () => {
  const claims = () => ({
    iss: ISSUER,
    aud: 'shop',
    iat: seconds(),
    exp: seconds() + 9,
    jti: `v${jti++}`,
    events: { [EVENT]: {} },
    sid: 's1',
  })
  const { jwks: _, ...rest } = { jwks: undefined, issuer: ISSUER, audience: ['shop'] }
  beforeEach(someSessions)

  test.each<[string, () => unknown, number]>([
    ['claims', claims, 200],
    ['a promise of claims', async () => claims(), 200],
    ['claims for another client', () => ({ ...claims(), aud: 'other' }), 400],
    ['true', () => true, 400],
    ['nothing', () => undefined, 400],
    [
      'an error',
      () => {
        throw new Error('no')
      },
      400,
    ],
    ['a rejection', () => Promise.reject(new Error('no')), 400],
  ])('that returns %s', async (_what, verify, status) => {
    const site = serve({ ...rest, store, verify: verify as never })
    expect((await post(await token({}), site)).status).toBe(status)
    expect(await left()).toHaveLength(status === 200 ? 2 : 4)
    site.close()
  })

  test('does not see an unsigned token', async () => {
    const site = serve({ ...rest, store, verify: claims })
    expect((await post(new UnsecuredJWT(claims()).encode(), site)).status).toBe(400)
    site.close()
  })
})

test('it works behind secureSession, and behind a parser of forms', async () => {
  await someSessions()
  const sessions = secureSession({
    client,
    prefix: freshPrefix(),
    secret: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT',
    user: (held: Bag) => held.userId,
    cookie: { secure: false },
  } as never)
  const site = serve(options, [express.urlencoded(), sessions as express.RequestHandler])
  const response = await post(await token({ sid: 's1' }), site)
  expect([response.status, response.headers['set-cookie']]).toEqual([200, undefined])
  expect(await left()).toEqual(['phone', 'bob'])
  expect((await request(site).post('/logout').type('form').send('x=1')).status).toBe(400)
  site.close()
})

describe('options', () => {
  test.each<[object, RegExp]>([
    [{ store: {} }, /"store" option/],
    [{ index: 'none' }, /"index" option/],
    [{ issuer: '' }, /"issuer" option/],
    [{ issuer: undefined }, /"issuer" option/],
    [{ audience: [] }, /"audience" option/],
    [{ audience: undefined }, /"audience" option/],
    [{ jwks: undefined }, /"jwks" option or the "verify" option/],
    [{ verify: () => ({}) }, /"jwks" option or the "verify" option/],
    [{ jwks: 'keys.json' }, /"jwks" option/],
    [{ jwks: 'file:///keys.json' }, /"jwks" option/],
    [{ jwks: {} }, /"jwks" option/],
    [{ jwks: undefined, verify: 'me' }, /"verify" option/],
    [{ clientId: 'shop' }, /no option "clientId"/],
  ])('%j throw a TypeError that names the option', (given, message) => {
    expect(() => backchannelLogout({ ...options, ...given } as never)).toThrow(message)
  })
})
