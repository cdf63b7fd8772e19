import { Server } from 'node:http'
import type { RedisStore } from 'connect-redis-hash'
import express, { type Express } from 'express'
import session from 'express-session'
import { Passport } from 'passport'
import * as local from 'passport-local'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'
import { packageHere, runExample } from '../support/run-example.js'
import { Visitor } from '../support/visitor.js'

const PAGE = 'docs/recipes.md'
const client = connect()
afterAll(() => client.quit())

const modulesWith = (prefix: string) => ({
  express,
  'express-session': session,
  'connect-redis-hash': packageHere(client, prefix),
})

/** The server that an example begins to listen with. */
async function listeningServer(run: () => Promise<unknown>): Promise<Server> {
  const listen = jest.spyOn(Server.prototype, 'listen')
  await run()
  const server = listen.mock.instances[0] as unknown as Server
  listen.mockRestore()
  return server
}

test('Passport: a login changes the id, the user is found by their id, and a logout ends it', async () => {
  const ada = { id: '7', name: 'Ada' }
  const users = {
    verify: async (name: string, password: string) => (name === 'ada' && password === 'tea' ? ada : false),
    findById: async (id: string) => (id === ada.id ? ada : undefined),
  }
  const prefix = freshPrefix()
  const modules = {
    ...modulesWith(prefix),
    passport: new Passport(),
    'passport-local': local,
    './users.mjs': { users },
  }
  const env = { NODE_ENV: 'development', PORT: '0', SESSION_SECRET: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT' }
  const server = await listeningServer(() => runExample(PAGE, 'passport', { modules, scope: { process: { env } } }))
  const agent = request.agent(server)
  await agent.post('/login').type('form').send({ username: 'ada', password: 'coffee' }).expect(401)
  const first = await agent.post('/login').type('form').send({ username: 'ada', password: 'tea' }).expect(302)
  const second = await agent.post('/login').type('form').send({ username: 'ada', password: 'tea' }).expect(302)
  expect(second.headers['set-cookie']).not.toEqual(first.headers['set-cookie'])
  await agent.get('/').expect(200, 'Ada')
  const { RedisStore: Store } = modules['connect-redis-hash'] as { RedisStore: typeof RedisStore }
  const store = new Store({ client, indexes: { user: (held) => (held.passport as { user?: string })?.user } })
  expect(await store.countBy('user', '7')).toBe(1)
  await agent.post('/logout').expect(302)
  await agent.get('/').expect(200, 'Not logged in.')
  await store.clear()
  server.close()
})

test('a cookie for all subdomains: one login counts in two applications, and a logout, too', async () => {
  const prefix = freshPrefix()
  const start = async () => {
    const scope = { process: { env: { SESSION_SECRET: 's' } } }
    const options = { modules: modulesWith(prefix), scope, after: 'return [app, store]' }
    const [app, store] = (await runExample(PAGE, 'subdomains', options)) as [Express, RedisStore]
    app.get('/login', (req, res) => {
      Object.assign(req.session, { userId: 'ada' })
      res.end()
    })
    app.get('/', (req, res) => res.json({ ...req.session, cookie: undefined }))
    app.get('/logout', (req, res) => req.session.destroy(() => res.end()))
    return { app, store }
  }
  const [shop, forum] = [await start(), await start()]
  const login = await request(shop.app).get('/login').set('X-Forwarded-Proto', 'https')
  const [cookie = ''] = login.headers['set-cookie'] as unknown as string[]
  expect(cookie).toMatch(/^__Secure-sid=.+; Domain=example\.com; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
  const ada = new Visitor(forum.app, cookie.split(';')[0])
  expect((await ada.get('/')).body).toEqual({ userId: 'ada' })
  await new Visitor(shop.app, ada.cookie).get('/logout')
  expect((await ada.get('/')).body).toEqual({})
  await forum.store.clear()
})
