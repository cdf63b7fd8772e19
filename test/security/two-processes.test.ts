import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { RedisStore } from 'connect-redis-hash'
import { childScript } from '../support/child-script.js'
import { connect, freshPrefix } from '../support/redis.js'

const CHILD = childScript('test', 'security', 'two-processes.child.ts')

const prefix = freshPrefix()
const client = connect()
const store = new RedisStore({ client, prefix })
const children: ChildProcess[] = []
let a: string
let b: string

async function serverProcess(): Promise<string> {
  const child = spawn(process.execPath, [CHILD, prefix], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const [port] = await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
  return `http://127.0.0.1:${Number(port)}`
}

beforeAll(async () => {
  ;[a, b] = (await Promise.all([serverProcess(), serverProcess()])) as [string, string]
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await client.quit()
})

async function ask(origin: string, path: string, cookie: string): Promise<Response> {
  const response = await fetch(origin + path, { headers: { cookie } })
  expect(response.status).toBe(200)
  return response
}

const cookieOf = (response: Response) => response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
const seen = async (response: Response) => (await response.json()) as { pid: number; user: string | null }
const show = async (origin: string, cookie: string) => seen(await ask(origin, '/show', cookie))
const sidOf = (cookie: string) => /s%3A([^.]+)\./.exec(cookie)?.[1] as string

/** Logs Ada in at process A, and expects that both processes know her. @returns the cookie */
async function loggedIn(): Promise<string> {
  const cookie = cookieOf(await ask(a, '/login/ada', ''))
  const [atA, atB] = [await show(a, cookie), await show(b, cookie)]
  expect([atA.user, atB.user]).toEqual(['ada', 'ada'])
  expect(atA.pid).not.toBe(atB.pid)
  return cookie
}

test('a session destroyed in one process is anonymous at the next request in another', async () => {
  for (let round = 0; round < 20; round++) {
    const cookie = await loggedIn()
    await ask(a, '/logout', cookie)
    const [atB, atA] = [await ask(b, '/show', cookie), await ask(a, '/show', cookie)]
    expect((await seen(atB)).user).toBeNull()
    expect((await seen(atA)).user).toBeNull()
    expect(atB.headers.getSetCookie()).toEqual([])
  }
})

test('a session ended by a third process, outside any request, is anonymous at the next request in both', async () => {
  const cookie = await loggedIn()
  await store.destroy(sidOf(cookie))
  expect([(await show(a, cookie)).user, (await show(b, cookie)).user]).toEqual([null, null])
})

test('a session that another user logs in on in one process is theirs in the other, under a new id only', async () => {
  const cookie = await loggedIn()
  const changed = cookieOf(await ask(a, '/login/bob', cookie))
  expect(sidOf(changed)).not.toBe(sidOf(cookie))
  expect((await show(b, cookie)).user).toBeNull()
  expect((await show(b, changed)).user).toBe('bob')
})

test('requests that overlap a logout in another process may still be served, none that begins after it is', async () => {
  const cookie = await loggedIn()
  let isLoggedOut = false
  const reading = Array.from({ length: 8 }, async () => {
    for (let after = 0; after < 3; ) {
      const wasLoggedOut = isLoggedOut
      const { user } = await show(b, cookie)
      if (wasLoggedOut) expect(user).toBeNull()
      if (wasLoggedOut) after += 1
    }
  })
  await ask(a, '/logout', cookie)
  isLoggedOut = true
  await Promise.all(reading)
})
