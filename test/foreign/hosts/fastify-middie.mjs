// Fastify, with the middleware of Express through @fastify/middie.
import plugin from '@fastify/middie'
import { versionOf } from '../support/host.mjs'
import { tryFastify } from '../support/try-fastify.mjs'

await tryFastify('fastify-middie', async (app, sessions) => {
  await app.register(plugin)
  app.use(sessions)
})
console.log(['fastify', '@fastify/middie'].map((name) => versionOf(name, import.meta.url)).join(', '))
