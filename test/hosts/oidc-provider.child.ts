/**
 * A real OpenID Connect provider (oidc-provider), and two applications that log users in with it: one with secureSession
 * and backchannelLogout, one with express-openid-connect, whose sessions and logouts are in our store. It is a process
 * of its own, because the provider comes as ES modules only.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import openid from 'express-openid-connect'
import Provider from 'oidc-provider'
import { backchannelLogout, RedisStore, secureSession } from '../../src/index.js'
import { PATIENCE } from '../support/patience.js'
import { connect } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const [prefix = ''] = process.argv.slice(2)
const client = connect()
process.on('disconnect', () => process.exit())
// The provider says at length that it is set up for development.
Object.assign(console, { info: () => undefined, warn: () => undefined })

const [shop, forum, identity] = await Promise.all([opened(), opened(), opened()])

const ofClient = (client_id: string, origin: string, logoutPath: string) => ({
  client_id,
  client_secret: `secret of ${client_id}, long enough`,
  redirect_uris: [`${origin}/callback`],
  backchannel_logout_uri: origin + logoutPath,
  backchannel_logout_session_required: true,
})

const provider = new (Provider as Bag)(identity.origin, {
  clients: [ofClient('shop', shop.origin, '/logout-token'), ofClient('forum', forum.origin, '/backchannel-logout')],
  features: { backchannelLogout: { enabled: true } },
  pkce: { required: () => false },
  cookies: { keys: ['a key'] },
  // The provider's own function refuses addresses of this machine.
  fetch: (url: string, { dispatcher, ...options }: Bag) => fetch(url, options),
})
/** What the provider has to say of a logout that an application has refused. */
const failures: string[] = []
provider.on('backchannel.error', (_ctx: unknown, err: Error) => void failures.push(err.message))
identity.server.on('request', provider.callback())

const sessions = secureSession({
  client,
  prefix,
  secret: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT',
  user: (held: Bag) => held.userId,
  indexes: { oidc: (held: Bag) => held.oidc && [held.oidc.sid, held.oidc.sub] },
  cookie: { secure: false },
} as Bag)
const shopApp = express()
shopApp.post(
  '/logout-token',
  backchannelLogout({
    store: sessions.store,
    issuer: identity.origin,
    audience: 'shop',
    jwks: `${identity.origin}/jwks`,
  }) as express.RequestHandler,
)
shopApp.use(sessions as express.RequestHandler)
shopApp.get('/login', (_req, res) => {
  const query = { client_id: 'shop', scope: 'openid', response_type: 'code', redirect_uri: `${shop.origin}/callback` }
  res.redirect(`${identity.origin}/auth?${new URLSearchParams(query)}`)
})
shopApp.get('/callback', async (req, res) => {
  const { client_id, client_secret } = ofClient('shop', shop.origin, '')
  const credentials = [client_id, client_secret].map(encodeURIComponent).join(':')
  const response = await fetch(`${identity.origin}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: String(req.query.code),
      redirect_uri: `${shop.origin}/callback`,
    }),
  })
  const { id_token } = (await response.json()) as { id_token: string }
  const { sid, sub } = JSON.parse(Buffer.from(id_token.split('.')[1] as string, 'base64url').toString())
  Object.assign(req.session, { userId: sub, oidc: { sid, sub } })
  res.redirect('/me')
})
shopApp.get('/me', (req, res) => void res.send((req.session as Bag).userId ?? 'nobody'))
shop.server.on('request', shopApp)

const forumApp = express()
forumApp.use(
  openid.auth({
    issuerBaseURL: identity.origin,
    baseURL: forum.origin,
    clientID: 'forum',
    clientSecret: ofClient('forum', '', '').client_secret,
    secret: 'a secret of at least 32 characters',
    authRequired: false,
    session: {
      store: new RedisStore({ client, prefix: `${prefix}forum:`, ...PATIENCE }) as never,
      cookie: { secure: false },
    },
    backchannelLogout: true,
    authorizationParams: { response_type: 'code', scope: 'openid' },
  }),
)
forumApp.get(['/', '/me'], (req, res) => void res.send((req as Bag).oidc.user?.sub ?? 'nobody'))
forum.server.on('request', forumApp)

shopApp.get('/failures', (_req, res) => void res.json(failures))
const { port } = shop.server.address() as AddressInfo
process.send?.({ port, shop: shop.origin, forum: forum.origin, identity: identity.origin })

/** A server that has its address before it knows what to answer. */
async function opened(): Promise<{ server: Server; origin: string }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}
