import { RedisStore } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { type CommandLog, watchCommands } from '../support/commands.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
const prefix = freshPrefix()
let log: CommandLog

beforeAll(async () => {
  // This visit makes Redis know the scripts: one that it does not know yet is sent a second time.
  const visitor = visitorOf(new RedisStore({ client, prefix, touchInterval: 0 }))
  for (const path of ['/write', '/write', '/read']) await visitor.get(path)
  log = await watchCommands(client, prefix)
})
afterAll(async () => {
  log.stop()
  await client.quit()
})

function visitorOf(store: RedisStore, options: Partial<session.SessionOptions> = {}): Visitor {
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false, ...options }))
  app.get('/write', (req, res) => {
    ;(req.session as unknown as { n: number }).n = Math.random()
    res.end()
  })
  app.get('/read', (_req, res) => res.end('ok'))
  return new Visitor(app)
}

const names = (commands: string[][]) => commands.map(([name]) => name?.toUpperCase())

test('a request that only reads costs one command', async () => {
  const visitor = visitorOf(new RedisStore({ client, prefix }))
  await visitor.get('/write')
  await log.take()
  for (let i = 0; i < 5; i++) await visitor.get('/read')
  expect(names(await log.take())).toEqual(['HGETALL', 'HGETALL', 'HGETALL', 'HGETALL', 'HGETALL'])
})

test('with rolling and maxAge, with resave, and through plain set, a request that changes nothing still costs one', async () => {
  for (const options of [{ rolling: true, cookie: { maxAge: 600_000 } }, { resave: true }]) {
    const visitor = visitorOf(new RedisStore({ client, prefix }), options)
    await visitor.get('/write')
    await log.take()
    await visitor.get('/read')
    expect(names(await log.take())).toEqual(['HGETALL'])
  }
})

test('a request that changes something costs two: one to load, one to save', async () => {
  const visitor = visitorOf(new RedisStore({ client, prefix }))
  await visitor.get('/write')
  await log.take()
  await visitor.get('/write')
  expect(names(await log.take())).toEqual(['HGETALL', 'EVALSHA'])
})

test('once touchInterval has passed, a request refreshes the expiry with one more command', async () => {
  const visitor = visitorOf(new RedisStore({ client, prefix, touchInterval: 0 }))
  await visitor.get('/write')
  await log.take()
  await visitor.get('/read')
  expect(names(await log.take())).toEqual(['HGETALL', 'EVALSHA'])
})

test('an anonymous visitor costs nothing', async () => {
  const visitor = visitorOf(new RedisStore({ client, prefix }))
  await log.take()
  await visitor.get('/read')
  expect(await log.take()).toEqual([])
})

test('a one-counter change of a 16 kB session sends a few hundred bytes', async () => {
  const store = new RedisStore({ client, prefix })
  const big = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`p${i}`, 'x'.repeat(2000)]))
  await store.set('big', { cookie: { originalMaxAge: null }, ...big, n: 1 } as never)
  const held = (await store.get('big')) as unknown as { n: number }
  held.n += 1
  await log.take()
  await store.set('big', held as never)
  const [sent, ...more] = await log.take()
  expect(more).toEqual([])
  expect(sent?.join(' ').length).toBeLessThan(400)
})

test('read of named properties loads those only, and exists, info, patch and increment cost one command each', async () => {
  const store = new RedisStore({ client, prefix })
  await store.set('x', { cookie: { originalMaxAge: null }, a: 1, b: 2 } as never)
  await store.patch('x', { a: 2 })
  await store.increment('x', 'a')
  await log.take()
  await store.read('x', ['a'])
  await store.exists('x')
  await store.info('x')
  await store.patch('x', { a: 2 })
  await store.increment('x', 'a')
  expect(names(await log.take())).toEqual(['HMGET', 'HMGET', 'HMGET', 'EVALSHA', 'EVALSHA'])
})
