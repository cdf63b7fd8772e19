import { RedisStore, rotateOnLogin } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { watchCommands } from '../support/commands.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
const prefix = freshPrefix()
afterAll(async () => {
  await new RedisStore({ client, prefix, indexes: { user: () => null } }).clear()
  await client.quit()
})

interface Site {
  store: RedisStore
  visitor: Visitor
  /** The messages of the warnings. */
  told: string[]
  /** Runs in a request with this session, before the response. */
  run: (work: (req: express.Request) => unknown) => Promise<void>
}

/** A site with a visitor whose id an attacker may have planted. */
async function site(
  { indexed = false, behind = true }: { indexed?: boolean; behind?: boolean } = {},
  principal: (held: Bag) => unknown = (held) => held.userId ?? held.user?.id,
): Promise<Site> {
  const indexes = indexed && { user: (held: Bag) => held.userId }
  const store = new RedisStore({ client, prefix, ...(indexes && { indexes }) })
  const told: string[] = []
  store.on('warning', ({ code, message }) => {
    if (code === 'principal-changed-outside') told.push(message)
  })
  const app = express()
  let next: (req: express.Request) => unknown = () => undefined
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  if (!indexed) app.use(behind ? '/' : '/account', rotateOnLogin({ principal }))
  app.get(['/', '/account'], async (req, res) => {
    await next(req)
    res.end()
  })
  const visitor = new Visitor(app)
  const run = async (work: typeof next) => {
    next = work
    await visitor.get('/')
  }
  // rotateOnLogin has now seen a request, wherever it stands.
  await request(app).get('/account')
  await run((req) => Object.assign(req.session, { cart: 'tea' }))
  return { store, visitor, told, run }
}

const save = (held: session.Session) =>
  new Promise<void>((resolve, reject) => held.save((err) => (err ? reject(err) : resolve())))

describe('a user given where the id stays is a warning', () => {
  test.each<[string, (at: Site) => Promise<unknown>]>([
    ['patch', ({ store, visitor }) => store.patch(visitor.sid, { userId: 'ada' })],
    ['patch of an object', ({ store, visitor }) => store.patch(visitor.sid, { user: { id: 7 } })],
    ['setPath', ({ store, visitor }) => store.setPath(visitor.sid, ['user', 'id'], 7)],
    ['patch in a request', ({ run, store }) => run((req) => store.patch(req.sessionID, { userId: 'ada' }))],
    [
      'set of what get gave',
      async ({ store, visitor }) =>
        store.set(visitor.sid, Object.assign((await store.get(visitor.sid)) as Bag, { userId: 1 })),
    ],
    ['set of plain data', ({ store, visitor }) => store.set(visitor.sid, { cookie: {}, userId: 'ada' })],
  ])('by %s', async (_how, give) => {
    const at = await site()
    const { sid } = at.visitor
    await give(at)
    expect(at.visitor.sid).toBe(sid)
    expect(at.told).toEqual([
      expect.stringMatching(/^store\.(patch|setPath|set)\(\) has given a session another user.* HTTP request/),
    ])
    expect(at.told[0]).not.toContain(sid)
    await at.store.patch(sid, { userId: 'eve' })
    expect(at.told).toHaveLength(1)
  })

  test('by patch, where the index of users alone says whose a session is', async () => {
    const { store, visitor, told } = await site({ indexed: true })
    await store.patch(visitor.sid, { userId: 'ada' })
    expect(told).toHaveLength(1)
  })

  test('by a save of a session that rotateOnLogin does not watch, as sockets have it', async () => {
    const { run, told } = await site({ behind: false })
    await run((req) => save(Object.assign(req.session, { userId: 'ada' })))
    expect(told).toHaveLength(1)
  })
})

describe('is none', () => {
  test.each<[string, (at: Site) => unknown]>([
    ['a login that rotateOnLogin sees', ({ run }) => run((req) => save(Object.assign(req.session, { userId: 'ada' })))],
    [
      'what the user does afterwards',
      async ({ run, store, visitor }) => {
        await run((req) => Object.assign(req.session, { userId: 'ada' }))
        await store.patch(visitor.sid, { theme: 'dark' })
        await store.patch(visitor.sid, { userId: 'ada' })
        const held = (await store.get(visitor.sid)) as Bag
        held.theme = 'light'
        await store.set(visitor.sid, held)
        await store.set(visitor.sid, { cookie: {}, userId: 'ada' })
      },
    ],
    [
      'a profile edited by patch',
      async ({ run, store, visitor }) => {
        await run((req) => Object.assign(req.session, { user: { id: 7, name: 'Ada' } }))
        await store.patch(visitor.sid, { user: { id: 7, name: 'Countess' } })
      },
    ],
    [
      'a logout by patch',
      async ({ run, store, visitor }) => {
        await run((req) => Object.assign(req.session, { userId: 'ada' }))
        await store.patch(visitor.sid, { userId: undefined })
      },
    ],
    ['a patch of a session that is gone', ({ store }) => store.patch('gone', { userId: 'ada' })],
    ['a new session by set', ({ store }) => store.set('made-anew', { cookie: {}, userId: 'ada' })],
  ])('%s', async (_what, act) => {
    const at = await site()
    await act(at)
    expect(at.told).toEqual([])
  })

  test('a login where the application changes ids itself, and rotateOnLogin stands elsewhere', async () => {
    const { run, told } = await site({ behind: false })
    await run(async (req) => {
      await new Promise((resolve) => req.session.regenerate(resolve))
      // The session is saved once before it has a user.
      await save(Object.assign(req.session, { cart: 'tea' }))
      await save(Object.assign(req.session, { userId: 'ada' }))
    })
    await run((req) => Object.assign(req.session, { theme: 'dark' }))
    expect(told).toEqual([])
  })
})

test('a patch of what is no user, and a save that is watched, cost no command more', async () => {
  const { store, visitor, run } = await site()
  // From now on Redis knows the script.
  await store.patch(visitor.sid, { theme: 'none' })
  const log = await watchCommands(client, prefix)
  try {
    await store.patch(visitor.sid, { theme: 'dark' })
    expect(await log.take()).toHaveLength(1)
    await run((req) => Object.assign(req.session, { theme: 'light' }))
    expect(await log.take()).toHaveLength(2)
  } finally {
    log.stop()
  }
})
