import type { ServerResponse } from 'node:http'
import type { AuditEntry } from '../events.js'
import type { SessionRequest } from '../middleware/session-request.js'
import type { Html } from '../pages/html.js'

/** A request that `authorize` has let in. */
export interface Visit {
  req: SessionRequest
  res: ServerResponse
  who: unknown
  query: URLSearchParams
  /** The handle in the path; `''` if it has none. */
  handle: string
  isHtml: boolean
  /** Prefix of the router's own paths, relative to the page. */
  base: string
  /** What the audit entry will say beside who and what. */
  about: Partial<Pick<AuditEntry, 'action' | 'handle' | 'index' | 'value' | 'ended' | 'outcome'>>
}

/** A page without its frame. */
export interface PageBody {
  title: string
  /** The entry of the navigation that it belongs to. */
  at?: Section
  body: Html
}

export type Section = 'sessions' | 'activity' | 'stats' | 'events' | 'health'

/** What a route answers, in the form that the client wants. */
export type Answer =
  | { status?: number; json: object; page: () => PageBody }
  /** Where a browser goes on, below the router's own path. */
  | { status?: number; json: object; next: string }
  /** There is no page of it. */
  | { json: object; isJsonOnly: true }
  /** Answers by itself. */
  | { stream: () => void }

export interface Route {
  /** Undefined: nobody is told who has asked for it. */
  action: AuditEntry['action'] | undefined
  /** `does`: it ends sessions, so that it must come from a page of the same origin. `asks`: whether to do so. */
  change?: 'asks' | 'does'
  answer(visit: Visit): Promise<Answer> | Answer
}
