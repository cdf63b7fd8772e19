/**
 * Gives every store method a callback that throws, and prints how often each was called and what became of the
 * exception. This needs a separate process, because the exceptions are uncaught.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import session, { type SessionData, type Store } from 'express-session'
import { RedisStore } from '../../src/index.js'
import { connect, freshPrefix } from '../support/redis.js'

type Throwing = (err?: unknown) => void

const data = { cookie: { path: '/' }, user: 'ann' } as unknown as SessionData
const methods: Record<string, (store: Store, callback: Throwing) => unknown> = {
  get: (store, callback) => store.get('a', callback),
  'get of an unknown id': (store, callback) => store.get('nobody', callback),
  set: (store, callback) => store.set('a', data, callback),
  touch: (store, callback) => store.touch?.('a', data, callback),
  all: (store, callback) => store.all?.(callback),
  length: (store, callback) => store.length?.(callback),
  load: (store, callback) => store.load('a', callback),
  destroy: (store, callback) => store.destroy('a', callback),
  clear: (store, callback) => store.clear?.(callback),
}
const failing: typeof methods = {
  'set that fails': (store, callback) => store.set('*', data, callback),
  ids: (store, callback) => (store as RedisStore).ids(callback),
}

const uncaught: string[] = []
let unhandled = 0
process.on('uncaughtException', (err: Error) => uncaught.push(err.message))
process.on('unhandledRejection', () => {
  unhandled += 1
})

async function tryAll(store: Store, calls: typeof methods): Promise<Record<string, unknown>> {
  const results: Record<string, { called: number; uncaught: number }> = {}
  for (const [name, call] of Object.entries(calls)) {
    const result = { called: 0, uncaught: 0 }
    results[name] = result
    uncaught.length = 0
    call(store, () => {
      result.called += 1
      throw new Error(name)
    })
    for (const end = Date.now() + 2000; uncaught.length === 0 && Date.now() < end; ) await sleep(1)
    await sleep(10)
    result.uncaught = uncaught.filter((message) => message === name).length
  }
  return results
}

const client = connect()
const memory = await tryAll(new session.MemoryStore(), methods)
const redis = await tryAll(new RedisStore({ client, prefix: freshPrefix() }), { ...methods, ...failing })
console.log(JSON.stringify({ memory, redis, unhandled }))
process.exit()
