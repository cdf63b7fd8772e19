import type { IncomingMessage } from 'node:http'
import { ago } from '../pages/ago.js'
import { baseOf } from '../pages/paths.js'
import type { SessionInfo } from '../session-info.js'
import { dateIn, directionOf } from './language.js'
import type { OwnSession, OwnSessions } from './own-sessions.js'
import type { SessionRouterTexts } from './texts.js'

/** A session of the user, as the device page shows it. */
export interface DevicePageSession extends Pick<SessionInfo, 'handle' | 'createdAt' | 'seenAt' | 'client'> {
  /** Whether it is the session of this request. */
  current: boolean
  /** Whether it is bound to a device. */
  deviceBound: boolean
  /** The name of the device: `client`, or the text `unnamed`. It comes from the visitor's browser: escape it. */
  label: string
  /** The beginning of the handle, which tells devices with the same label apart. */
  number: string
  /** `seenAt` in words, e.g. `3 hours ago`. */
  lastSeen: string
  /** `createdAt` in words, in UTC. */
  since: string
}

/** What a template needs for the device page. All values are plain text: the template must escape them. */
export interface DevicePage {
  /** At most 50 sessions: that of the request first, then the others, most recently seen first. */
  sessions: DevicePageSession[]
  /** Approximate number of further sessions. */
  more: number
  /** Number of sessions that `endOthersUrl` ends. */
  others: number
  /** Path of the router relative to the page, e.g. `./sessions/`. */
  base: string
  /** Where the form of each session posts its `handle`. */
  endUrl: string
  /** Where the form posts that ends all sessions except the one of this request. The form needs no fields. */
  endOthersUrl: string
  /** URL of the built-in page's stylesheet. */
  styleUrl: string
  /** The `back` option; undefined without it. */
  back: string | undefined
  /** How many sessions the user has just ended; undefined on every other visit. */
  ended: number | undefined
  /** Language of the page, for the `lang` attribute. */
  lang: string
  /** Direction of its text, for the `dir` attribute. */
  dir: 'ltr' | 'rtl'
  /** All sentences: those of the `texts` option, and defaults for the rest. */
  texts: SessionRouterTexts
}

export interface PageTerms {
  lang: string
  texts: SessionRouterTexts
  back: string | undefined
}

export function devicePageOf({ sessions, more }: OwnSessions, req: IncomingMessage, terms: PageTerms): DevicePage {
  const { lang, texts, back } = terms
  const base = baseOf(req)
  const now = new Date()
  return {
    sessions: sessions.map((session) => shown(session, now, terms)),
    more,
    others: sessions.filter(({ current }) => !current).length + more,
    base,
    endUrl: `${base}end`,
    endOthersUrl: `${base}end-others`,
    styleUrl: `${base}style.css`,
    back,
    ended: endedBefore(req),
    lang,
    dir: directionOf(lang),
    texts,
  }
}

function shown(session: OwnSession, now: Date, { lang, texts }: PageTerms): DevicePageSession {
  const { handle, client, createdAt, seenAt, deviceBound } = session
  return {
    ...session,
    deviceBound: deviceBound === true,
    label: client ?? texts.unnamed,
    number: handle.slice(0, 6),
    lastSeen: ago(seenAt, now, lang, texts.justNow),
    since: dateIn(lang, createdAt),
  }
}

/** The path of the page that says so. Where users have logged out here, there is no page to say anything. */
export function listAfter(ended: number, { isLoggedIn }: { isLoggedIn: boolean }): string {
  return isLoggedIn ? `./?ended=${ended}` : './'
}

/** What `listAfter` has put into the address. A link of another site cannot make the page say it. */
function endedBefore({ url = '', headers }: IncomingMessage): number | undefined {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin') return undefined
  const text = new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('ended')
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}
