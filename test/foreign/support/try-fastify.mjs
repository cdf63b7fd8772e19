import Fastify from 'fastify'
import { tryHost } from './host.mjs'

/**
 * Tries Fastify with a plugin that lets it use middleware of Express. The session is on the raw request.
 *
 * @param {string} name
 * @param {(app: import('fastify').FastifyInstance, sessions: any) => Promise<void>} mount
 */
export function tryFastify(name, mount) {
  return tryHost(name, async ({ sessions, routes }) => {
    const app = Fastify()
    await mount(app, sessions)
    for (const [method, path, handler] of routes) {
      app[method](path, (request) => handler(request.raw).then((answer) => JSON.stringify(answer)))
    }
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    return { url, close: () => app.close() }
  })
}
