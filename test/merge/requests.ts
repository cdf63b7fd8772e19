import type { RedisStore, SessionEvents } from 'connect-redis-hash'
import type { Request } from 'express'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
export type Bag = any

/** Loads a session as a request of express-session does. */
export async function open(store: RedisStore, sid: string): Promise<Bag> {
  const req = { sessionID: sid, sessionStore: store } as unknown as Request
  return store.createSession(req, (await store.get(sid)) as never)
}

/** Saves it as a request of express-session does. */
export function save(session: Bag): Promise<void> {
  return new Promise((resolve, reject) => {
    session.save((err: unknown) => (err ? reject(err as Error) : resolve()))
  })
}

/** Starts a session with this content. */
export function begin(store: RedisStore, sid: string, content: object): Promise<void> {
  return store.set(sid, { cookie: { originalMaxAge: 600_000 }, ...content } as never)
}

/** What Redis holds, without the cookie. */
export async function held(store: RedisStore, sid: string): Promise<Bag> {
  const { cookie, ...content } = (await store.read(sid)) as Bag
  return content
}

export function conflictsOf(store: RedisStore): SessionEvents['conflict'][] {
  const told: SessionEvents['conflict'][] = []
  store.on('conflict', (event) => told.push(event))
  return told
}
