/**
 * Calls every method of a store as hosts do that know callbacks only: no callback, and nobody looks at the promise,
 * while Redis is away. It is a process of its own, without handlers for what is uncaught, and prints what became of the
 * failures.
 */
import { once } from 'node:events'
import express from 'express'
import type { Store } from 'express-session'
import { Redis } from 'ioredis'
import request from 'supertest'
import { RedisStore } from '../../src/index.js'

const client = new Redis({ port: 1, lazyConnect: true, retryStrategy: () => null })
client.on('error', () => undefined)
const cookie = { path: '/' }

const calls: Record<string, (store: RedisStore) => unknown> = {
  get: (store) => store.get('hush-id'),
  // keycloak-connect calls it like this after a `get`.
  set: (store) => store.set('hush-id', { cookie, user: 'hush-user' }),
  touch: (store) => store.touch('hush-id', { cookie }),
  // express-session calls it like this for `req.session.destroy()`.
  'destroy, undefined for a callback': (store) => store.destroy('hush-id', undefined),
  'destroy, null for a callback': (store) => store.destroy('hush-id', null as never),
  destroy: (store) => store.destroy('hush-id'),
  all: (store) => store.all(),
  ids: (store) => store.ids(),
  length: (store) => store.length(),
  clear: (store) => store.clear(),
  'regenerate without a callback': (store) => store.regenerate({ sessionID: 'hush-id' } as never),
}

function made(): RedisStore {
  return new RedisStore({ client, prefix: 'hush-prefix:', timeout: 50, activity: false })
}

async function unheard(call: (store: RedisStore) => unknown): Promise<unknown> {
  const store = made()
  const told = new Promise((resolve) =>
    store.on('warning', ({ code, message }) => {
      if (code === 'failure-unheard') resolve({ code, message })
    }),
  )
  call(store)
  return told
}

/** Makes a call whose caller handles the failure, and resolves the number of `failure-unheard` warnings. */
async function warningsOf(call: (store: RedisStore) => Promise<unknown>): Promise<number> {
  const store = made()
  let warnings = 0
  store.on('warning', ({ code }) => {
    if (code === 'failure-unheard') warnings += 1
  })
  await call(store)
  await new Promise((resolve) => setTimeout(resolve, 20))
  return warnings
}

const taken: Record<string, (store: RedisStore) => Promise<unknown>> = {
  awaited: async (store) => {
    try {
      await store.destroy('hush-id')
      return undefined
    } catch (err) {
      return err
    }
  },
  caught: (store) => store.destroy('hush-id').catch(() => undefined),
  'returned by a function that is awaited': (store) => (async () => store.destroy('hush-id'))().catch(() => undefined),
  'one of several': (store) => Promise.allSettled([store.destroy('hush-id'), store.get('hush-id')]),
  'with finally': (store) =>
    store
      .destroy('hush-id')
      .finally(() => undefined)
      .catch(() => undefined),
  'with a callback': (store) => new Promise((resolve) => void store.destroy('hush-id', resolve)),
}

/** Calls `req.session.destroy()` in a route while Redis refuses. Resolves the status and the warnings. */
async function logout(): Promise<unknown> {
  const store = made()
  const told: unknown[] = []
  store.on('warning', ({ code }) => told.push(code))
  const app = express()
  app.use((req, _res, next) => {
    // The session looks as if it had been loaded before Redis went away.
    Object.assign(req, { sessionID: 'hush-id', sessionStore: store })
    store.createSession(req, { cookie } as never)
    next()
  })
  app.post('/logout', (req, res) => {
    req.session.destroy(undefined as never)
    res.end('bye')
  })
  const { text } = await request(app).post('/logout')
  while (!told.includes('failure-unheard')) await new Promise((resolve) => setTimeout(resolve, 5))
  return { text, told: told.filter((code) => code === 'failure-unheard') }
}

const results = {
  unheard: {} as Record<string, unknown>,
  taken: {} as Record<string, unknown>,
  logout: undefined as unknown,
  printed: undefined as unknown,
}
for (const [name, call] of Object.entries(calls)) results.unheard[name] = await unheard(call)
for (const [name, call] of Object.entries(taken)) results.taken[name] = await warningsOf(call)
results.logout = await logout()
const printing = once(process, 'warning')
;(made() as Store).destroy('hush-id')
const [{ name, message }] = await printing
results.printed = { name, message }
console.log(JSON.stringify(results))
process.exit()
