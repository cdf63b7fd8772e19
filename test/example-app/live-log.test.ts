import { once } from 'node:events'
import { get as httpGet, type IncomingMessage } from 'node:http'
import supertest from 'supertest'
import { SUPPORT } from '../../example-app/demo-account.js'
import { EventLog } from '../../example-app/event-log.js'
import { shopSessions } from '../../example-app/sessions.js'
import { until } from '../support/until.js'
import { openShop } from './shop.js'
import { Visitor } from './visitor.js'

const shop = openShop()
const address = shop.listen()
const streams: IncomingMessage[] = []

afterAll(async () => {
  for (const stream of streams) stream.destroy()
  await shop.close()
})

interface Entry {
  id: number
  event: string
  handle?: string
  text: string
}

/** Follows the log over HTTP. */
async function follow(after = 0, headers: Record<string, string> = {}) {
  const sent = httpGet(`${await address}/events/stream?after=${after}`, { headers })
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  streams.push(response)
  let text = ''
  response.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  response.on('error', () => undefined)
  const entries = () => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data as string) as Entry)
  return { response, entries, text: () => text }
}

test('the page shows what has happened, newest first, and which events are of the own session', async () => {
  const [ada, other] = [new Visitor(shop.app), new Visitor(shop.app)]
  await ada.signUp('Ada', shop.newAddress())
  await other.addTea('chai')
  const { text } = await ada.get('/events')
  const events = [...text.matchAll(/<strong>([\w-]+)<\/strong>/g)].map(([, name]) => name)
  expect(events).toEqual(expect.arrayContaining(['created', 'saved', 'rotated', 'ended']))
  expect(events.indexOf('rotated')).toBeLessThan(events.lastIndexOf('created'))
  const name = (await shop.nameOf(ada)).slice(0, 8)
  const items = [...text.matchAll(/<li class="event[\s\S]*?<\/li>/g)].map(([item]) => item)
  for (const item of items) expect(item.includes('yours')).toBe(item.includes(`<code>${name}`))
  expect(items.some((item) => item.includes('yours'))).toBe(true)
})

test('who follows it gets events as they happen, and after an interruption those that were missed, each once', async () => {
  const first = await follow()
  expect(first.response.headers['content-type']).toBe('text/event-stream; charset=utf-8')
  const visitor = new Visitor(shop.app)
  await visitor.addTea('oolong')
  await until('the session is told of', () => first.entries().some(({ event }) => event === 'created'))
  const last = first.entries().at(-1) as Entry
  first.response.destroy()
  await visitor.submit('/', '/logout')
  const second = await follow(0, { 'Last-Event-ID': String(last.id) })
  await until('the end is told of', () => second.entries().some(({ event }) => event === 'destroyed'))
  expect(Math.min(...second.entries().map(({ id }) => id))).toBe(last.id + 1)
  const ids = second.entries().map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
})

test('neither page nor stream carries an id, a key, data, or whom the support has looked for', async () => {
  const [ada, support] = [new Visitor(shop.app), new Visitor(shop.app)]
  const email = shop.newAddress()
  await ada.signUp('Ada Lovelace', email)
  await support.logIn(SUPPORT.email, SUPPORT.password)
  const { userId } = await shop.sessionOf(ada)
  const user = JSON.parse(userId as string) as string
  await support.get(`/admin/sessions/sessions?index=user&value=${user}`)
  const stream = await follow()
  await until('the look is told of', () => stream.entries().some(({ event }) => event === 'audit'))
  const page = await new Visitor(shop.app).get('/events')
  const key = shop.keyOf(ada)
  const secrets = [ada.sessionId, key, key.split(':').at(-1), user, email, 'Lovelace', SUPPORT.name]
  for (const text of [stream.text(), page.text]) {
    expect(text).toContain('audit')
    for (const secret of secrets) expect(text).not.toContain(secret)
  }
})

test('a stream asks for no session, needs no Redis, and ends when the shop closes', async () => {
  const own = openShop()
  const closing = own.listen()
  const sent = httpGet(`${await closing}/events/stream`)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  expect(response.headers['set-cookie']).toBeUndefined()
  own.closeLive()
  response.resume()
  await once(response, 'end')
  await own.close()
})

test('the log of somebody without scripts ends where it was made: HEAD and refusals end, too', async () => {
  expect((await supertest(shop.app).head('/events/stream')).status).toBe(200)
  const many = await Promise.all(Array.from({ length: 50 }, () => follow()))
  const refused = await supertest(shop.app).get('/events/stream')
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '30'])
  for (const { response } of many) response.destroy()
  await until('they are gone', async () => {
    const next = await follow()
    next.response.destroy()
    return next.response.statusCode === 200
  })
})

test('the last 50 events are kept', async () => {
  const { client, secret, namespace } = shop
  const { store } = shopSessions({ client, secret, prefix: `${namespace}sess:`, behindTls: false })
  const log = new EventLog(store)
  for (let i = 0; i < 60; i++) await store.set(`sid-${i}`, { cookie: { originalMaxAge: null } } as never)
  expect(log.since().map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, i) => i + 11))
  expect(log.since(58).map(({ id }) => id)).toEqual([59, 60])
  // From before a restart.
  expect(log.since(1000)).toHaveLength(50)
  await store.clear()
  await store.close()
})
