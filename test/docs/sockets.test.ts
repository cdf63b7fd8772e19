import { once } from 'node:events'
import * as http from 'node:http'
import { type AddressInfo, connect as dial } from 'node:net'
import { type SecureSession, secureSession } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import * as socketIo from 'socket.io'
import { io as connectTo } from 'socket.io-client'
import * as ws from 'ws'
import { privateRedis } from '../support/private-redis.js'
import { connect, freshPrefix } from '../support/redis.js'
import { packageHere, runExample } from '../support/run-example.js'

const PAGE = 'docs/sockets.md'
const SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
const { WebSocket } = ws
const client = connect()
const prefix = freshPrefix()
const cookie = `__Host-sid=${encodeURIComponent(`s:${sign('sid', SECRET)}`)}`
afterAll(() => client.quit())

/** Runs the first example of the page. */
async function serve(by = client, timeout?: number): Promise<{ server: http.Server; sessions: SecureSession }> {
  const modules = { 'node:http': http, express, ws, 'connect-redis-hash': packageHere(by, prefix, timeout) }
  const process = { env: { SESSION_SECRET: SECRET, PORT: '0' } }
  const made = await runExample(PAGE, 'upgrade', { modules, scope: { process }, after: 'return { server, sessions }' })
  return made as { server: http.Server; sessions: SecureSession }
}

test('ws: the socket greets the user, turns others away, and is closed when the session ends', async () => {
  const { server, sessions } = await serve()
  const { port } = server.address() as AddressInfo
  const { store } = sessions
  const begin = () => store.set('sid', { userId: 'ada', cookie: { originalMaxAge: null } } as never)
  await begin()
  const socket = new WebSocket(`ws://localhost:${port}`, { headers: { cookie } })
  expect(String((await once(socket, 'message'))[0])).toBe('Hello ada')
  await store.destroy('sid')
  expect((await once(socket, 'close')).map(String)).toEqual(['4001', 'destroyed'])
  const refused = await once(new WebSocket(`ws://localhost:${port}`, { headers: { cookie } }), 'error')
  expect(String(refused[0])).toMatch(/401/)

  // Neither a visitor who hangs up at once, nor one who sends no valid frame, ends the process.
  const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
  const hangUp = dial(port, 'localhost')
  await once(hangUp, 'connect')
  hangUp.write(`${upgrade}${key}\r\n`, () => hangUp.resetAndDestroy())
  await begin()
  const noise = dial(port, 'localhost')
  noise.write(`${upgrade}${key}Cookie: ${cookie}\r\n\r\n`)
  await once(noise, 'data')
  noise.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  await once(noise, 'close')
  const after = new WebSocket(`ws://localhost:${port}`, { headers: { cookie } })
  expect(String((await once(after, 'message'))[0])).toBe('Hello ada')
  after.terminate()
  server.closeAllConnections()
  server.close()
  await store.close()
})

test('ws: while Redis is away the answer is 503, and not "nobody is logged in"', async () => {
  const redis = await privateRedis()
  const { server, sessions } = await serve(redis.connect(), 1000)
  const { port } = server.address() as AddressInfo
  process.kill(redis.pid, 'SIGSTOP')
  const refused = await once(new WebSocket(`ws://localhost:${port}`, { headers: { cookie } }), 'error')
  process.kill(redis.pid, 'SIGCONT')
  expect(String(refused[0])).toMatch(/503/)
  server.closeAllConnections()
  server.close()
  await sessions.store.close()
  await redis.stop()
})

test('Socket.IO: the socket greets the user, turns others away, also while Redis is away, and closes with the session', async () => {
  const redis = await privateRedis()
  const away = redis.connect()
  const sessions = secureSession({ client: away, prefix, secret: SECRET, user: (held) => held.userId as string })
  const { store } = sessions
  const begin = () => store.set('sid', { userId: 'ada', cookie: { originalMaxAge: null } } as never)
  const server = http.createServer().listen(0)
  const modules = { 'socket.io': socketIo }
  const io = (await runExample(PAGE, 'socket.io', {
    modules,
    scope: { server, sessions },
    after: 'return io',
  })) as socketIo.Server
  await begin()
  const options = { extraHeaders: { cookie }, transports: ['websocket'], reconnection: false }
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  const known = connectTo(url, options)
  expect(await new Promise((resolve) => known.on('hello', resolve))).toBe('ada')
  await store.destroy('sid')
  expect(await new Promise((resolve) => known.on('disconnect', resolve))).toBe('io server disconnect')
  const nobody = connectTo(url, options)
  expect(await new Promise((resolve) => nobody.on('connect_error', (err) => resolve(err.message)))).toBe(
    'not logged in',
  )
  process.kill(redis.pid, 'SIGSTOP')
  const unknown = connectTo(url, options)
  const said = new Promise((resolve) => unknown.on('connect_error', (err) => resolve(err.message)))
  expect(await said).toBe('try again later')
  process.kill(redis.pid, 'SIGCONT')
  await io.close()
  await store.close()
  await redis.stop()
})
