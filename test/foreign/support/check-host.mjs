import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Visitor } from './visitor.mjs'

/**
 * Checks what the store and its middleware promise, on a running host that serves `application` behind secureSession.
 *
 * @param {{ url: string, store: { length(): Promise<number> }, line: { cut(): Promise<void>, restore(): Promise<void> },
 *  letGo(): void, base?: string, away?: number }} host `base`: the beginning of its paths; `away`: its status for an
 * error that a middleware hands over while Redis is gone, 503 unless it answers all errors alike
 */
export async function checkHost({ url, store, line, letGo, base = '', away = 503 }) {
  const visitor = new Visitor(url + base)
  const session = async () => {
    const { status, text, json } = await visitor.get('/session')
    assert.equal(status, 200, text)
    return json()
  }
  const done = async (path) => {
    const { status, text } = await visitor.post(path)
    assert.equal(status, 200, `${path}: ${text}`)
  }

  await done('/cart')
  const anonymous = visitor.cookie
  assert.match(anonymous, /sid=/, 'the first write hands out a cookie')
  await done('/login')
  assert.notEqual(visitor.cookie, anonymous, 'a login changes the id')
  assert.deepEqual(await session(), { userId: 'ada', cart: ['tea'] }, 'a login keeps the basket')
  const planted = new Visitor(url + base)
  assert.deepEqual((await planted.get('/session', { cookie: anonymous })).json(), {}, 'the id before leads nowhere')

  await Promise.all([done('/a'), done('/b')])
  const { a, b } = await session()
  assert.deepEqual({ a, b }, { a: 'written', b: 'written' }, 'no lost update')

  const slow = visitor.post('/slow')
  await done('/logout')
  letGo()
  await slow
  assert.deepEqual(await session(), {}, 'logged out')
  assert.equal(await store.length(), 0, 'no resurrection')

  await done('/login')
  const failed = await visitor.post('/fail')
  assert.equal(failed.status, 503, `a save that fails: ${failed.text}`)
  assert.doesNotMatch(failed.text, /saved/, 'a save that fails is no success')
  const loading = await visitor.get('/session')
  assert.equal(loading.status, away, `Redis is gone: ${loading.text}`)
  await line.restore()
  // The client comes back within a second.
  const deadline = Date.now() + 10_000
  while ((await visitor.get('/session')).status !== 200 && Date.now() < deadline) await sleep(50)
  assert.equal((await session()).userId, 'ada', 'still logged in once Redis is back')
}
