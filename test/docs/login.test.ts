import type { RedisStore } from 'connect-redis-hash'
import express, { type Express } from 'express'
import session from 'express-session'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'
import { packageHere, runExample } from '../support/run-example.js'

const client = connect()
const prefix = freshPrefix()
afterAll(() => client.quit())

test('docs/login.md: a login changes the id, and so does a password; some routes ask for a fresh login', async () => {
  const modules = { express, 'express-session': session, 'connect-redis-hash': packageHere(client, prefix) }
  const scope = { passwordIsRight: async () => true, process: { env: { SESSION_SECRET: 's' } } }
  const made = await runExample('docs/login.md', 'login', { modules, scope, after: 'return [app, store]' })
  const [app, store] = made as [Express, RedisStore]
  app.post('/cart', (req, res) => {
    Object.assign(req.session, { cart: 'tea' })
    res.end()
  })
  const agent = request.agent(app)
  const idOf = async (path: string, status: number) => {
    const response = await agent.post(path).expect(status)
    return String(response.headers['set-cookie']?.[0])
  }
  const ids = [await idOf('/cart', 200), await idOf('/login/ada', 302), await idOf('/reauthenticate', 302)]
  expect(new Set(ids).size).toBe(3)
  await agent.post('/password').expect(200, 'Changed.')
  await request(app).post('/password').expect(401)
  expect(await store.all()).toEqual([expect.objectContaining({ userId: 'ada', cart: 'tea' })])
  await store.clear()
})
