// @fastify/session uses the store; the application changes the id at a login itself.
import cookie from '@fastify/cookie'
import session from '@fastify/session'
import Fastify from 'fastify'
import { tryHost, versionOf } from '../support/host.mjs'
import { SECRET } from '../support/secret.mjs'

await tryHost('fastify-session', async ({ sessions, routes }) => {
  const app = Fastify()
  await app.register(cookie)
  const options = { secret: SECRET, cookieName: 'sid', cookie: { secure: false }, saveUninitialized: false }
  await app.register(session, { ...options, store: sessions.store })
  for (const [method, path, handler] of routes) {
    app[method](path, async (request) => {
      if (path === '/login') await request.session.regenerate(['cart'])
      return JSON.stringify(await handler(request))
    })
  }
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { url, close: () => app.close() }
})
console.log(['fastify', '@fastify/session'].map((name) => versionOf(name, import.meta.url)).join(', '))
