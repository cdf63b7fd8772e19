import { createServer } from 'node:http'
import { RedisStore, rotateOnLogin, type Serializer, saveBeforeResponse } from 'connect-redis-hash'
import express, { type Request } from 'express'
import session from 'express-session'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
let encoded = 0
const counting: Serializer = {
  stringify(value) {
    encoded += 1
    return JSON.stringify(value)
  },
  parse: (text) => JSON.parse(text) as unknown,
}
const store = new RedisStore({
  client,
  prefix: freshPrefix(),
  serializer: counting,
  indexes: { user: (s) => s.userId },
})

const bagOf = (req: Request) => req.session as unknown as Record<string, unknown>

const app = express()
app.use(
  session({ store, secret: 'a secret', resave: false, saveUninitialized: false }),
  rotateOnLogin(),
  saveBeforeResponse(),
)
app.use((_req, _res, next) => {
  encoded = 0
  next()
})
app.get('/fill', (req, res) => {
  for (let i = 0; i < 5; i++) bagOf(req)[`text${i}`] = `text ${i}`
  for (let i = 0; i < 5; i++) bagOf(req)[`list${i}`] = [i]
  res.end('filled')
})
app.get('/login', (req, res) => {
  bagOf(req).userId = 'ann'
  res.end('in')
})
app.get('/login-and-go-on', (req, res) => {
  bagOf(req).userId = 'ann'
  res.write('in')
  ;(bagOf(req).list0 as number[]).push(7)
  res.end()
})
app.get('/save-and-go-on', (req, res, next) => {
  bagOf(req).userId = 'ann'
  req.session.save((err) => {
    if (err) return next(err)
    res.end('in')
  })
  ;(bagOf(req).list0 as number[]).push(7)
})
app.get('/show', (req, res) => void res.json(req.session))

const server = createServer(app).listen(0)
afterAll(async () => {
  server.close()
  await store.clear()
  await store.close()
  await client.quit()
})

async function textAt(visitor: Visitor, path: string): Promise<string> {
  return (await visitor.get(path)).text
}

async function filled(): Promise<Visitor> {
  const visitor = new Visitor(server)
  expect(await textAt(visitor, '/fill')).toBe('filled')
  return visitor
}

test('a login encodes each property once', async () => {
  const visitor = await filled()
  expect(await textAt(visitor, '/login')).toBe('in')
  expect(encoded).toBeLessThanOrEqual(11)
  expect(JSON.parse(await textAt(visitor, '/show'))).toMatchObject({ userId: 'ann', list0: [0], text4: 'text 4' })
})

test.each(['/login-and-go-on', '/save-and-go-on'])(
  '%s: what the handler changes before it ends the response is saved',
  async (path) => {
    const visitor = await filled()
    expect(await textAt(visitor, path)).toBe('in')
    expect(JSON.parse(await textAt(visitor, '/show'))).toMatchObject({ userId: 'ann', list0: [0, 7] })
  },
)
