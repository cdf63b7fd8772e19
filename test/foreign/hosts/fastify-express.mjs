// Fastify, with the middleware of Express through @fastify/express.
import plugin from '@fastify/express'
import { versionOf } from '../support/host.mjs'
import { tryFastify } from '../support/try-fastify.mjs'

await tryFastify('fastify-express', plugin)
console.log(['fastify', '@fastify/express'].map((name) => versionOf(name, import.meta.url)).join(', '))
