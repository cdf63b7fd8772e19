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
  /** What such a request does once it has loaded the session. */
  save(i: number): Promise<unknown>
}

export type Work = 'read' | 'write' | 'save'

type Live = SessionData & { touch(): void }

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
    new Promise<Live>((resolve, reject) => {
      store.get(sid, (error, data) => {
        if (error || !data) reject(error ?? new Error('a session is not there'))
        else resolve(store.createSession({ sessionID: sid, sessionStore: store } as never, data) as never)
      })
    })

  const loaded = new Map<string, Live>()

  async function change(sid: string, live: Live): Promise<void> {
    const content = live as unknown as { visits?: number; field3?: string }
    if (content.visits !== undefined) content.visits += 1
    else content.field3 = other(content.field3 as string)
    live.touch()
    await save(store, sid, live)
  }

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
      await change(sid, await load(sid))
    },
    async save(i) {
      const sid = sidOf(i)
      const live = loaded.get(sid) ?? (await load(sid))
      loaded.set(sid, live)
      await change(sid, live)
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
  const save = (i: number) => raw.save(sidOf(i), 'field3', JSON.stringify(other('')), whole)
  return {
    seed: (i) => raw.seed(sidOf(i), json(i)),
    read: (i) => raw.read(sidOf(i)),
    async write(i) {
      await raw.load(sidOf(i))
      await save(i)
    },
    save,
  }
}
