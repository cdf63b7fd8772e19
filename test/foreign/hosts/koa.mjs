// Koa, with the middleware of Express through koa-connect.
import Koa from 'koa'
import connect from 'koa-connect'
import { example } from '../support/example.mjs'
import { tryHost, versionOf } from '../support/host.mjs'

await tryHost('koa', async ({ sessions, routes }) => {
  const app = new Koa()
  app.silent = true
  await example('koa', { app, connect, sessions })
  app.use(async (ctx) => {
    const route = routes.find(([method, path]) => method.toUpperCase() === ctx.method && path === ctx.path)
    if (route !== undefined) ctx.body = JSON.stringify(await route[2](ctx.req))
  })
  return app.callback()
})
console.log(['koa', 'koa-connect'].map((name) => versionOf(name, import.meta.url)).join(', '))
