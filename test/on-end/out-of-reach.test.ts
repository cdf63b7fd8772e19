import { randomBytes } from 'node:crypto'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { hasten } from '../support/hasten.js'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const stores: RedisStore[] = []

afterEach(async () => {
  jest.restoreAllMocks()
  for (const store of stores.splice(0)) await store.close()
  const left = await client.keys(`*${prefix}*`)
  if (left.length > 0) await client.del(left)
})
afterAll(() => client.quit())

function archiving(options: Partial<RedisStoreOptions> = {}) {
  const told: string[] = []
  const onEnd: RedisStoreOptions['onEnd'] = ({ session }) => void told.push(session.name)
  const store = new RedisStore({ client, prefix, onEnd, ...options })
  stores.push(store)
  return { store, told }
}

/** Those nodes of a Cluster that hold these keys do not answer. */
function hang(isHanging: (key: string) => boolean): void {
  const send = client.sendCommand.bind(client)
  jest.spyOn(client, 'sendCommand').mockImplementation((command, ...rest) => {
    const isScript = /^eval(sha)?$/i.test(command.name)
    return isScript && isHanging(String(command.args[2])) ? new Promise(() => {}) : send(command, ...rest)
  })
}

const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('a save does not wait for a queue that does not answer, nor does a logout, and that one is told of', async () => {
  // It connects first, however long that takes.
  await client.ping()
  const { store, told } = archiving({ timeout: 1000 })
  hang((key) => key.includes('@ends'))
  await store.set('a', { cookie, name: 'a' } as never)
  const held = await store.get('a')
  await store.set('a', Object.assign(held as never, { x: 1 }))
  await store.destroy('a')
  await until(() => told.length === 1)
  expect(told).toEqual(['a'])
})

test('one queue that does not answer does not hide the others, one session that does not answer none of its queue', async () => {
  const down = archiving()
  await down.store.close()
  const queueOf = (name: string) => [...name].reduce((sum, char) => sum + char.charCodeAt(0), 0) % 8
  const all = Array.from({ length: 1000 }, (_, i) => `s${i}`)
  const names = [
    ...all.filter((name) => queueOf(name) === 0).slice(0, 60),
    all.find((name) => queueOf(name) === 1) as string,
  ]
  for (const name of names) await down.store.set(name, { cookie, name } as never)
  for (const name of names) await down.store.destroy(name)
  await hasten(client, prefix)
  const [queue] = (await client.keys(`idx:${prefix}@ends:*`)).filter((key) => key.endsWith('1'))
  const unreachable = new Set(names.slice(0, 50).map((name) => prefix + name))
  hang((key) => key === queue || unreachable.has(key))
  const { told } = archiving({ timeout: 1000 })
  await until(() => told.length === 10)
  expect(told.toSorted()).toEqual(names.slice(50, 60))
})

test('an onEnd that never ends does not keep others from being told of', async () => {
  const told: string[] = []
  const warnings: unknown[] = []
  const { store } = archiving({
    onEnd: ({ session }) => {
      if (session.name === 'last') told.push(session.name)
      else return new Promise(() => {})
      return undefined
    },
  })
  store.on('warning', ({ message }) => warnings.push(message))
  const wait = globalThis.setTimeout
  jest
    .spyOn(globalThis, 'setTimeout')
    .mockImplementation(((call: () => void, ms: number) => wait(call, ms === 60_000 ? 100 : ms)) as never)
  for (const name of [...Array(16).keys(), 'last']) {
    await store.set(`s${name}`, { cookie, name } as never)
    await store.destroy(`s${name}`)
  }
  await until(() => told.length === 1)
  expect(warnings).toContain(
    'onEnd has taken longer than a minute for a session that has ended; it is called again in a minute',
  )
})

test('very many that have ended are told of without a pause after each page', async () => {
  const { store, told } = archiving({ timeout: 10_000 })
  await store.close()
  const names = Array.from({ length: 3000 }, (_, i) => `s${i}`)
  // All at once would take longer than `timeout` on a busy machine.
  for (let first = 0; first < names.length; first += 100) {
    const some = names.slice(first, first + 100)
    await Promise.all(some.map((name) => store.set(name, { cookie, name } as never)))
    await Promise.all(some.map((name) => store.destroy(name)))
  }
  await hasten(client, prefix)
  const set = jest.spyOn(globalThis, 'setTimeout')
  const other = archiving({ timeout: 60_000 })
  await until(() => told.length + other.told.length === 3000)
  // The pause between two looks is 1.5 to 2.5 seconds: one comes before the first page, and one when all is done.
  const pauses = set.mock.calls.filter(([, ms = 0]) => ms >= 1500 && ms <= 2500)
  set.mockRestore()
  expect(pauses.length).toBeLessThan(4)
})

test('what one process cannot read is told of by another one that has the key', async () => {
  const [old, current] = [randomBytes(32), randomBytes(32)]
  const updated = archiving({ encryption: { keys: [current, old] } })
  await updated.store.set('a', { cookie, name: 'a' } as never)
  await updated.store.close()
  await updated.store.destroy('a')
  await hasten(client, prefix)
  const outdated = archiving({ encryption: { keys: [old] } })
  await new Promise((resolve) => outdated.store.once('corrupt', resolve))
  await outdated.store.close()
  await hasten(client, prefix, 3_600_000)
  const other = archiving({ encryption: { keys: [current, old] } })
  await until(() => other.told.length === 1)
  expect([...outdated.told, ...other.told]).toEqual(['a'])
})
