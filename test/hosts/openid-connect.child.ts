/**
 * One server process of an application on express-openid-connect, with sessions and logouts in our store, and the
 * identity provider beside it, as far as logouts need one. It is a process of its own, because the package imports
 * modules that are not CommonJS. A request to /slow… waits until the test says `open`.
 */
import { createSign, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import openid from 'express-openid-connect'
import { RedisStore } from '../../src/index.js'
import { PATIENCE } from '../support/patience.js'
import { connect } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const [prefix = ''] = process.argv.slice(2)
const store = new RedisStore({ client: connect(), prefix, ...PATIENCE })
const say = (message: object) => process.send?.(message)
process.on('disconnect', () => process.exit())

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const provider = express()
const issuer = `http://127.0.0.1:${await portOf(provider)}/`
provider.get('/.well-known/openid-configuration', (_req, res) => {
  res.json({
    issuer,
    jwks_uri: `${issuer}keys`,
    authorization_endpoint: `${issuer}authorize`,
    token_endpoint: `${issuer}token`,
    response_types_supported: ['id_token'],
    response_modes_supported: ['form_post'],
    id_token_signing_alg_values_supported: ['RS256'],
  })
})
provider.get('/keys', (_req, res) => {
  res.json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key', use: 'sig', alg: 'RS256' }] })
})

function token(claims: object): string {
  const now = Math.floor(Date.now() / 1000)
  const body = { iss: issuer, aud: 'client', iat: now, exp: now + 3600, jti: `${Math.random()}`, ...claims }
  const text = [{ alg: 'RS256', kid: 'key' }, body]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`
}

const app = express()
app.use(
  openid.auth({
    issuerBaseURL: issuer,
    baseURL: 'http://localhost',
    clientID: 'client',
    secret: 'a secret of at least 32 characters',
    authRequired: false,
    idpLogout: false,
    session: { store: store as never, cookie: { secure: false } },
    backchannelLogout: true,
    authorizationParams: { response_type: 'code' },
    clientSecret: 'unused',
  }),
)
app.use(async (req, _res, next) => {
  if (!req.path.startsWith('/slow')) return next()
  say({ reached: true })
  await once(process, 'message')
  next()
})
const session = (req: object) => (req as { appSession: Bag }).appSession
app.get('/sign-in', (req, res) => {
  Object.assign(session(req), { id_token: token({ sub: req.query.sub, sid: req.query.sid }) })
  res.json(issuer)
})
app.get(['/put/:name/:value', '/slow/put/:name/:value'], (req, res) => {
  session(req)[req.params.name as string] = req.params.value
  res.json('ok')
})
app.get(['/read', '/slow/read'], (req, res) => {
  const { id_token, ...rest } = session(req) ?? {}
  res.json({ isLoggedIn: id_token !== undefined, ...rest })
})
/** The token that a provider sends to /backchannel-logout. */
app.get('/logout-token', (req, res) => {
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  res.json(token({ ...req.query, events }))
})
/** Does what a later login does. */
app.get('/forget', async (req, res) => {
  await store.destroy(`${issuer}|${req.query.sub}`)
  res.json('ok')
})
say({ port: await portOf(app) })

async function portOf(made: express.Express): Promise<number> {
  const server = made.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
