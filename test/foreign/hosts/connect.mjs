import connect from 'connect'
import { tryHost, versionOf } from '../support/host.mjs'

await tryHost('connect', ({ sessions, routes }) => {
  const app = connect()
  app.use(sessions)
  app.use((req, res, next) => {
    const route = routes.find(([method, path]) => method.toUpperCase() === req.method && path === req.url)
    if (route === undefined) return next()
    void route[2](req).then((answer) => res.end(JSON.stringify(answer)), next)
  })
  return app
})
console.log(versionOf('connect', import.meta.url))
