import type { Server } from 'node:http'
import SwaggerParser from '@apidevtools/swagger-parser'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { RedisStore, type SessionContent } from 'connect-redis-hash'
import request from 'supertest'
import { handleOf } from '../../src/ids/handle.js'
import { connect, freshPrefix } from '../support/redis.js'
import { JSON_ONLY, MOUNT, SAME_ORIGIN, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: SessionContent) => held.userId }
const store = new RedisStore({ client, prefix, indexes, activity: true })
const HANDLE = handleOf('ada-1')
let server: Server

beforeAll(() => {
  server = site(store, { showValue: () => true })
})
beforeEach(async () => {
  await store.clear()
  await store.set('ada-1', { userId: 'ada', cart: { tea: 2 } } as never)
  await client.hset(`${prefix}ada-1`, '@client', 'Firefox on Linux')
  await client.set(`${prefix}old`, JSON.stringify({ cookie: {}, userId: 'eve' }), 'EX', 600)
})
afterAll(async () => {
  server.close()
  await store.close()
  await client.quit()
})

async function description(): Promise<{ paths: object }> {
  const { body } = await request(server).get(`${MOUNT}/openapi.json`).set({ Cookie: 'admin=grace' }).expect(200)
  return body
}

test('the description is valid OpenAPI 3.1', async () => {
  const api = await SwaggerParser.validate((await description()) as never)
  expect(api).toMatchObject({ openapi: '3.1.0' })
})

test('a description with a mistake is found to have one', async () => {
  const api = await description()
  const responses = { 200: { description: 1 } }
  const broken = { ...api, paths: { ...api.paths, '/stats': { get: { responses } } } }
  await expect(SwaggerParser.validate(broken as never)).rejects.toThrow()
})

type Call = [method: 'get' | 'post', path: string, template: string, status: number, body?: object]
const CALLS: Call[] = [
  ['get', 'sessions', '/sessions', 200],
  ['get', 'sessions?index=user&value=ada&page=2', '/sessions', 200],
  ['get', 'sessions?page=x', '/sessions', 400],
  ['get', `sessions/${HANDLE}`, '/sessions/{handle}', 200],
  ['get', `sessions/${handleOf('old')}`, '/sessions/{handle}', 200],
  ['get', `sessions/${'A'.repeat(22)}`, '/sessions/{handle}', 404],
  ['post', `sessions/${HANDLE}/end`, '/sessions/{handle}/end', 200],
  ['post', `sessions/${'A'.repeat(22)}/end`, '/sessions/{handle}/end', 404],
  ['post', 'end', '/end', 200, { index: 'user', value: 'ada' }],
  ['post', 'end', '/end', 200, { all: true }],
  ['post', 'end', '/end', 400, { all: 'perhaps' }],
  ['get', 'stats', '/stats', 200],
  ['get', 'activity', '/activity', 200],
  ['get', 'activity?step=day&from=2026-01-01&to=2026-01-03T10:00Z', '/activity', 200],
  ['get', 'activity?step=year', '/activity', 400],
  ['get', 'activity?step=minute&from=1999-01-01', '/activity', 400],
  ['get', 'activity?from=2026-01-03&to=2026-01-01', '/activity', 400],
  ['get', 'events', '/events', 200],
  ['get', 'health', '/health', 200],
]

test.each(CALLS)('the answer is as described: %s %s', async (...call) => {
  const [method, path, template, status, body] = call
  const sent = request(server)
    [method](`${MOUNT}/${path}`)
    .set({ Cookie: 'admin=grace', ...JSON_ONLY, ...SAME_ORIGIN })
  const answer = await (method === 'post' ? sent.send(body ?? {}) : sent)
  expect(answer.status).toBe(status)
  const ajv = new Ajv2020({ allowUnionTypes: true, strictSchema: false })
  ajv.addFormat('date-time', (text) => text === new Date(text).toISOString())
  ajv.addSchema(strict(await description()), 'api')
  const at = ['paths', template, method, 'responses', String(status), 'content', 'application/json', 'schema']
  const pointer = at.map((part) => part.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D'))
  const validate = ajv.compile({ $ref: `api#/${pointer.join('/')}` })
  const isValid = validate(answer.body)
  expect([isValid, JSON.stringify(validate.errors)]).toEqual([true, 'null'])
})

test('every route with JSON is described', async () => {
  const { paths } = await description()
  expect(Object.keys(paths).sort()).toEqual([...new Set(CALLS.map(([, , template]) => template))].sort())
})

/** Allows no property that is not described. */
function strict(schema: unknown): object {
  if (Array.isArray(schema)) return schema.map(strict)
  if (typeof schema !== 'object' || schema === null) return schema as never
  const inner: Record<string, unknown> = Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, strict(value)]),
  )
  return 'properties' in inner && !('additionalProperties' in inner) && inner.type === 'object'
    ? { ...inner, additionalProperties: false }
    : inner
}
