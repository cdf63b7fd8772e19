import { once } from 'node:events'
import { tryHost } from './host.mjs'

/** @param {typeof import('restify')} restify */
export function tryRestify(name, restify) {
  return tryHost(name, async ({ sessions, routes }) => {
    const server = restify.createServer({ name })
    server.use(sessions)
    for (const [method, path, handler] of routes) {
      server[method](path, (req, res, next) => {
        void handler(req).then((answer) => {
          res.sendRaw(200, JSON.stringify(answer))
          next()
        }, next)
      })
    }
    server.listen(0, '127.0.0.1')
    await once(server.server, 'listening')
    return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
  })
}
