import session, { type SessionData, type Store } from 'express-session'
import type { Opened } from '../contenders/contender.js'
import { type Content, type CookieKind, contentOf, cookieOf, sidOf, text } from '../contents.js'

/** What express-session does with a store during a request, without HTTP. */
export interface Operations {
  seed(i: number): Promise<unknown>
  /** A request that changes nothing. */
  read(i: number): Promise<unknown>
  /** A request that changes one property. */
  write(i: number): Promise<unknown>
}

const Cookie = session.Cookie as unknown as new (options: object) => session.Cookie

export function operationsOf(opened: Opened, content: Content, cookie: CookieKind): Operations {
  return opened.store === undefined ? rawOperations(opened, content) : storeOperations(opened.store, content, cookie)
}

/**
 * Returns a text that differs from a given one. The texts are made in advance, because only the store is to be
 * measured.
 */
function otherTexts(length: number): (than: string) => string {
  const texts = Array.from({ length: 50 }, (_, i) => text(length, i + 1))
  let at = 0
  return (than) => {
    at = (at + 1) % texts.length
    const next = texts[at] as string
    return next === than ? (texts[(at + 1) % texts.length] as string) : next
  }
}

function storeOperations(store: Store, content: Content, cookie: CookieKind): Operations {
  const { field3 } = contentOf(content, 0) as { field3?: string }
  const other = otherTexts(field3?.length ?? 0)

  /** Loads a session and makes it a `req.session`, as express-session does. */
  const load = (sid: string) =>
    new Promise<SessionData & { touch(): void }>((resolve, reject) => {
      store.get(sid, (error, data) => {
        if (error || !data) reject(error ?? new Error('a session is not there'))
        else resolve(store.createSession({ sessionID: sid, sessionStore: store } as never, data) as never)
      })
    })

  return {
    async seed(i) {
      const sid = sidOf(i)
      const req = { sessionID: sid, sessionStore: store } as never
      const live = store.createSession(req, { cookie: new Cookie(cookieOf(cookie)) } as SessionData)
      await save(store, sid, Object.assign(live, contentOf(content, i)))
    },
    async read(i) {
      const sid = sidOf(i)
      const live = await load(sid)
      live.touch()
      await new Promise<void>((resolve, reject) => {
        // Some stores call back with a value where express-session expects none.
        store.touch?.(sid, live, ((error?: unknown) => (error ? reject(error) : resolve())) as () => void)
      })
    },
    async write(i) {
      const sid = sidOf(i)
      const live = (await load(sid)) as unknown as Record<string, unknown>
      if ('visits' in live) live.visits = (live.visits as number) + 1
      else live.field3 = other(live.field3 as string)
      ;(live as unknown as { touch(): void }).touch()
      await save(store, sid, live as unknown as SessionData)
    },
  }
}

function save(store: Store, sid: string, live: SessionData): Promise<void> {
  return new Promise((resolve, reject) => {
    store.set(sid, live, (error) => (error ? reject(error) : resolve()))
  })
}

function rawOperations({ raw }: Opened, content: Content): Operations {
  if (raw === undefined) throw new Error('a contender has neither a store nor commands')
  const json = (i: number) =>
    Object.fromEntries(Object.entries(contentOf(content, i)).map(([name, value]) => [name, JSON.stringify(value)]))
  const whole = json(0)
  const other = otherTexts((whole.field3?.length ?? 2) - 2)
  return {
    seed: (i) => raw.seed(sidOf(i), json(i)),
    read: (i) => raw.read(sidOf(i)),
    write: (i) => raw.write(sidOf(i), 'field3', JSON.stringify(other('')), whole),
  }
}
