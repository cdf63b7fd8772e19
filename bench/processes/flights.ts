import session, { type SessionData, type Store } from 'express-session'
import type { Flights } from '../../test/support/flights.js'
import type { Opened } from '../contenders/contender.js'
import { sidOf } from '../contents.js'
import { operationsOf } from './operations.js'

/** Sessions with which the kinds of requests are tried first: scripts are sent once per server. */
const TRIALS = 2

type Request = { sessionID: string; sessionStore: Store; session?: session.Session & Partial<SessionData> }

/** Counts the flights of each kind of request. A text in place of a number: the store has no such function. */
export async function flightsOf(flights: Flights, opened: Opened): Promise<Record<string, number | string>> {
  const { store } = opened
  if (store === undefined) throw new Error('this contender is no store')
  const operations = operationsOf(opened, 'nine fields', 'session cookie')
  // It gives the store its function `generate`.
  session({ store, secret: 'benchmark', resave: false, saveUninitialized: false })
  const works: Record<string, (i: number) => Promise<unknown>> = {
    create: (i) => operations.seed(i + 1000),
    read: (i) => operations.read(i),
    write: (i) => operations.write(i),
    login: (i) => login(store, i),
    logout: (i) => logout(store, i + 1000),
  }
  for (let i = 0; i <= TRIALS; i++) await operations.seed(i)
  const counts: Record<string, number | string> = {}
  for (const [name, work] of Object.entries(works)) {
    for (let i = 0; i < TRIALS; i++) await work(i)
    counts[name] = (await flights.during(() => work(TRIALS))).needed.length
  }
  return counts
}

async function login(store: Store, i: number): Promise<void> {
  const req = await arrive(store, i)
  await settled((done) => store.regenerate(req as never, done))
  const live = req.session as session.Session & SessionData
  Object.assign(live, { userId: 'ada' })
  await settled((done) => store.set(req.sessionID, live, done))
}

async function logout(store: Store, i: number): Promise<void> {
  const { session: live } = await arrive(store, i)
  await settled((done) => live?.destroy(done))
}

/** A request of a visitor, whose session express-session has loaded. */
async function arrive(store: Store, i: number): Promise<Request> {
  const req: Request = { sessionID: sidOf(i), sessionStore: store }
  const data = await settled<SessionData>((done) => store.get(req.sessionID, done as never))
  store.createSession(req as never, data)
  return req
}

function settled<T>(work: (done: (err?: unknown, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    work((err, value) => (err ? reject(err) : resolve(value as T)))
  })
}
