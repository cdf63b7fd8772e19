import { example } from './example.mjs'
import { tryHost } from './host.mjs'

/** Tries NestJS with its Express adapter; without a compiler, decorators are plain calls. */
export function tryNest(name, { common, core }) {
  const { Controller, Get, HttpCode, Module, Post, Req } = common
  return tryHost(name, async ({ sessions, routes }) => {
    class Application {}
    Controller()(Application)
    for (const [method, path, handler] of routes) {
      Application.prototype[path] = (req) => handler(req).then((answer) => JSON.stringify(answer))
      const descriptor = Object.getOwnPropertyDescriptor(Application.prototype, path)
      const decorate = method === 'get' ? Get : Post
      decorate(path)(Application.prototype, path, descriptor)
      HttpCode(200)(Application.prototype, path, descriptor)
      Req()(Application.prototype, path, 0)
    }
    class Root {}
    Module({ controllers: [Application] })(Root)
    const app = await core.NestFactory.create(Root, { logger: false })
    await example('nest', { app, sessions })
    await app.listen(0, '127.0.0.1')
    return { url: await app.getUrl(), close: () => app.close() }
  })
}
