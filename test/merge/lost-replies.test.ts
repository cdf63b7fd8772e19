import { RedisStore } from 'connect-redis-hash'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { failureOf } from '../support/failure.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { until } from '../support/until.js'
import { type Bag, begin, held, open, save } from './requests.js'

// A save whose reply is lost may have been written. What Redis holds then is not a change of somebody else.

const merge = { cart: true as const, stock: (base: Bag, theirs: Bag, mine: Bag) => theirs + mine - base }
const SID = 'the-session'

let redis: PrivateRedis
let line: BadLine
/** A store in another process of the same application, with a good line. */
let other: RedisStore

beforeAll(async () => {
  redis = await privateRedis()
  line = await badLineTo(redis.socketPath)
  other = new RedisStore({ client: redis.admin, merge, timeout: 30_000 })
  // From now on Redis knows the scripts: one that it does not know is sent a second time.
  await begin(other, SID, { cart: {}, stock: 100 })
  await sale(other, 'bread')
})
afterAll(async () => {
  await line.close()
  await redis.stop()
})
beforeEach(() => begin(other, SID, { cart: { bread: 1 }, stock: 100 }))
afterEach(() => line.release())

const storeOf = (timeout: number) => new RedisStore({ client: redis.connect({ path: line.path }), merge, timeout })

async function sale(store: RedisStore, what: string): Promise<void> {
  const session = await open(store, SID)
  session.cart[what] = 1
  session.stock -= 1
  await save(session)
}

const sell = (session: Bag) => {
  session.cart.apples = 1
  session.stock -= 1
}
const add = (session: Bag) => {
  session.cart.apples = 1
}

const hasLanded = (stock: number) => until('it has been written', async () => (await held(other, SID)).stock === stock)

test('a save that has timed out, and was written, counts once in the next save', async () => {
  const session = await open(storeOf(3_000), SID)
  session.cart.apples = 1
  session.stock -= 1
  line.stall()
  const failing = failureOf(save(session))
  await hasLanded(99)
  expect((await failing)?.code).toBe('ERR_SESSION_TIMEOUT')
  line.release()
  delete session.cart.apples
  session.cart.plums = 1
  session.stock -= 1
  await save(session)
  expect(await held(other, SID)).toEqual({ cart: { bread: 1, plums: 1 }, stock: 98 })
})

describe('a save that failed with its connection, was written, and has been changed by others since', () => {
  const failed = async (change: (session: Bag) => void) => {
    const client = redis.connect({ path: line.path, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 1 })
    const session = await open(new RedisStore({ client, merge, timeout: 1_000 }), SID)
    change(session)
    line.mute()
    const failing = failureOf(save(session))
    await until('it has been written', async () => (await held(other, SID)).cart.apples === 1)
    line.cut()
    line.release()
    // ioredis never settles a command whose connection is gone, if it may not send it again; node-redis rejects it.
    expect(await failing).toMatchObject({ code: expect.stringMatching(/^ERR_SESSION_(TIMEOUT|UNAVAILABLE)$/) })
    await sale(other, 'pears')
    return session
  }

  test('is merged once more', async () => {
    const session = await failed(add)
    session.cart.plums = 1
    await save(session)
    expect(await held(other, SID)).toEqual({ cart: { bread: 1, apples: 1, pears: 1, plums: 1 }, stock: 99 })
  })

  test('fails until it is loaded again, if a function might count it twice', async () => {
    const session = await failed(sell)
    expect(await failureOf(save(session))).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE', status: 503 })
    expect(await held(other, SID)).toEqual({ cart: { bread: 1, apples: 1, pears: 1 }, stock: 98 })
    await new Promise<void>((resolve) => void session.reload(() => resolve()))
    session.req.session.stock -= 1
    await save(session.req.session)
    expect((await held(other, SID)).stock).toBe(97)
  })
})

describe('a save that is sent again, as its answer was lost with the connection', () => {
  const sentAgain = async (change: (session: Bag) => void, meanwhile: () => Promise<void>) => {
    const session = await open(storeOf(30_000), SID)
    change(session)
    const before = await redis.admin.hgetall(`sess:${SID}`)
    line.mute()
    const saving = failureOf(save(session))
    await until('it has been written', async () => (await redis.admin.hget(`sess:${SID}`, '@')) !== before['@'])
    await meanwhile()
    line.cut()
    line.release()
    return saving
  }
  test('counts once', async () => {
    expect(await sentAgain(sell, async () => {})).toBeUndefined()
    expect(await held(other, SID)).toEqual({ cart: { bread: 1, apples: 1 }, stock: 99 })
  })

  test('and others have saved in between, takes nothing away', async () => {
    expect(await sentAgain(add, () => sale(other, 'pears'))).toBeUndefined()
    expect(await held(other, SID)).toEqual({ cart: { bread: 1, apples: 1, pears: 1 }, stock: 99 })
  })

  test('and others have saved in between, fails rather than count twice what a function merges', async () => {
    expect(await sentAgain(sell, () => sale(other, 'pears'))).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE' })
    expect(await held(other, SID)).toEqual({ cart: { bread: 1, apples: 1, pears: 1 }, stock: 98 })
  })
})
