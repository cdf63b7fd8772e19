// Express 5 and 4.
import express from 'express'
import express4 from 'express4'
import { tryHost, versionOf } from '../support/host.mjs'

for (const [name, framework] of Object.entries({ express, express4 })) {
  await tryHost(name, ({ sessions, routes }) => {
    const app = framework()
    app.set('env', 'test')
    app.use(sessions)
    for (const [method, path, handler] of routes) {
      app[method](path, (req, res, next) => {
        void handler(req).then((answer) => res.json(answer), next)
      })
    }
    return app
  })
}
console.log(['express', 'express4'].map((name) => versionOf(name, import.meta.url)).join(', '))
