// Fastify, with the middleware of Express through @fastify/express.
import fastifyExpress from '@fastify/express'
import { example } from '../support/example.mjs'
import { versionOf } from '../support/host.mjs'
import { tryFastify } from '../support/try-fastify.mjs'

await tryFastify('fastify-express', (app, sessions) => example('fastify', { app, fastifyExpress, sessions }))
console.log(['fastify', '@fastify/express'].map((name) => versionOf(name, import.meta.url)).join(', '))
