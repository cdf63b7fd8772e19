import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectRedis, RedisStore } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import type { Cluster, Redis } from 'ioredis'
import request from 'supertest'
import { clusterOptions, redisOptions, sentinelOptions } from '../../src/redis/connect/request-path-options.js'
import { WARNINGS } from '../../src/warnings.js'
import { fileOf } from '../support/links.js'
import { example } from '../support/markdown.js'
import { privateRedis } from '../support/private-redis.js'
import { freshPrefix, socketPath } from '../support/redis.js'

const PAGE = join('docs', 'operations.md')
const page = readFileSync(PAGE, 'utf8')

/** The cells of each row under a heading. */
function tableAfter(heading: string): string[][] {
  const [section = ''] = page.slice(page.indexOf(`${heading}\n`) + heading.length).split(/^#/m)
  const lines = section.split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(1).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
}

test('every setting of connectRedis is in the table with its value, and no other', () => {
  const shown = (value: unknown) => {
    if (Array.isArray(value)) return value.join(', ')
    return typeof value === 'function' ? 'function' : String(value ?? '')
  }
  const { redisOptions: connections, ...top } = clusterOptions({})
  const kinds = [redisOptions({}), sentinelOptions({}), { ...top, ...connections }] as Record<string, unknown>[]
  const names = [...new Set(kinds.flatMap((options) => Object.keys(options)))]
  const expected = names.map((name) => [`\`${name}\``, ...kinds.map((options) => shown(options[name]))])
  const rows = tableAfter('### What it sets').map((cells) => cells.slice(0, 4))
  expect(rows.sort()).toEqual(expected.sort())
})

test('every warning has a row, which says whether it is printed', () => {
  const rows = tableAfter('## Warnings').flatMap(([codes = '', , printed]) =>
    [...codes.matchAll(/`(.+?)`/g)].map(([, code]) => [code, printed === 'yes']),
  )
  expect(rows.sort()).toEqual(Object.entries(WARNINGS).sort())
})

test('every fault links the test that measured it, and that test exists', () => {
  const rows = tableAfter('## When something fails')
  expect(rows.length).toBeGreaterThan(10)
  for (const cells of rows) {
    const [, target = '', title = ''] = /\]\((.+?)\): `(.+)`$/.exec(cells[3] ?? '') ?? []
    const path = String(fileOf(PAGE, target))
    expect([path, existsSync(path)]).toEqual([path, true])
    expect([title, readFileSync(path, 'utf8').includes(`'${title}'`)]).toEqual([title, true])
  }
})

test('the example of a logout says whether a replica knows', async () => {
  // This Redis has no replica.
  const redis = await privateRedis()
  const client = redis.admin
  const app = express()
  const body = example(PAGE, 'run', 'replicas')
    .replace('client,', 'client, prefix,')
    .replace('\n\n', "\n\napp.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))\n")
  const scope = { RedisStore, client, prefix: freshPrefix(), app, session }
  const store = new Function(...Object.keys(scope), `${body}\nreturn store`)(...Object.values(scope)) as RedisStore
  app.use(((err, _req, res, _next) => {
    res.status(err.status).end(err.code)
  }) as express.ErrorRequestHandler)
  await request(app).post('/logout').expect(503, 'ERR_SESSION_NOT_REPLICATED')
  await store.close()
  await redis.stop()
})

test('the example connects, or waits for the hosts that it names', async () => {
  const code = `${example(PAGE, 'run', 'connecting')}\nreturn [one, sentinel, cluster]`
  const run = new Function('connectRedis', 'process', 'console', code)
  const env = { REDIS_URL: socketPath() }
  const [one, ...others] = run(connectRedis, { env }, { error: () => {} }) as [Redis, ...(Redis | Cluster)[]]
  expect(await one.ping()).toBe('PONG')
  for (const client of [one, ...others]) client.disconnect()
})

test('the example with credentials logs in with the token', async () => {
  const redis = await privateRedis()
  await redis.admin.call('ACL', 'SETUSER', 'app', 'on', '>token', '+@all')
  const run = new Function(
    'connectRedis',
    'process',
    'getToken',
    `${example(PAGE, 'run', 'credentials')}\nreturn client`,
  )
  const getToken = async () => ({ username: 'app', token: 'token', expiresAt: new Date(Date.now() + 900_000) })
  const client = run(connectRedis, { env: { REDIS_URL: redis.socketPath } }, getToken) as Redis
  expect(await client.call('ACL', 'WHOAMI')).toBe('app')
  client.disconnect()
  await redis.stop()
})
