import type { Browsers } from './browser.js'
import { grouped } from './group.js'
import type { Ledger, LedgerSession } from './ledger.js'
import type { Found, Inside } from './look-inside.js'
import type { Random } from './random.js'
import type { ServerReport } from './server.child.js'

const MOST_PER_USER = 3
/** docs/operations.md gives the store's `timeout`, and what it may take longer. */
const TIMEOUT_MS = 1000
const SLACK_MS = 100
const COOKIES_TRIED = 30

/** Checks what must be true of Redis whenever nothing is under way, after what visitors were told. */
export function checkInside(ledger: Ledger, inside: Inside): void {
  if (inside.withoutTtl > 0) ledger.violated(`${inside.withoutTtl} session keys without a TTL`)
  for (const { foreign, user } of inside.sessions) {
    for (const property of foreign) ledger.violated(`${user} has ${property} of another user`)
  }
  const byTag = grouped(inside.sessions, ({ tag }) => tag)
  for (const session of ledger.sessions.values()) {
    const copies = byTag.get(session.tag) ?? []
    if (session.state === 'ended') checkEnded(ledger, session, copies.length)
    else checkThere(ledger, session, copies)
  }
  // A login that failed half-way may have left one session more; so may one that has expired and was not told of yet.
  const isCounted = ({ tag, user }: Found) => {
    const session = ledger.sessions.get(tag ?? '')
    return user !== undefined && session !== undefined && !session.mayBeUnindexed && !session.isLeftToExpire
  }
  const users = grouped(inside.sessions.filter(isCounted), ({ user }) => user)
  for (const [user, sessions] of users) {
    if (sessions.length > MOST_PER_USER) ledger.violated(`${user} has ${sessions.length} sessions`)
  }
}

function checkEnded(ledger: Ledger, session: LedgerSession, copies: number): void {
  if (copies === 0) {
    if (!ledger.isInDoubt) session.isEndInDoubt = false
    return
  }
  // An expired session stays as it was until onEnd is told of it; whether it is served, its cookie shows.
  if (session.isAdrift || session.isLeftToExpire) return
  if (session.isEndInDoubt) {
    // The old master had confirmed the end; the new one had not heard of it. From here on, only what is there counts.
    ledger.undoneByFailover += 1
    session.state = 'unsure'
    session.isEndInDoubt = false
  } else {
    ledger.violated(`the session ${session.tag} has ended, and is in Redis (${session.history})`)
  }
}

function checkThere(ledger: Ledger, session: LedgerSession, copies: readonly Found[]): void {
  const [copy] = copies
  if (copy === undefined) {
    if (session.isCreationInDoubt) ledger.lostInFailover += 1
    else if (session.state === 'alive')
      ledger.violated(
        `the session ${session.tag} is not in Redis any more (now ${Math.round(performance.now())}: ${session.history})`,
      )
    ledger.ended(session)
    return
  }
  session.isCreationInDoubt = false
  if (copies.length > 1 && !session.isAdrift)
    ledger.violated(`the session ${session.tag} is there twice (${session.history})`)
  if (copy.user !== session.user) ledger.violated(`the session ${session.tag} belongs to ${copy.user} now`)
  if (session.isAdrift) return
  for (const [property, count] of session.counts) {
    const held = copy.counts.get(property) ?? 0
    if (held < count.confirmed) {
      const { tag, history } = session
      ledger.violated(`${property} of ${tag} is ${held}, and ${count.confirmed} was confirmed (${history})`)
    }
    if (held > count.attempted) ledger.violated(`${property} of ${session.tag} is ${held}, which nobody wrote`)
    count.confirmed = held
  }
}

/** Presents ids that were replaced or ended once more. */
export async function checkCookies(
  ledger: Ledger,
  browsers: Browsers,
  ports: readonly number[],
  random: Random,
): Promise<number> {
  const dead = ledger.cookies.filter(
    ({ session }) => session === undefined || (session.state === 'ended' && !session.isEndInDoubt),
  )
  const tried = random.shuffled(dead.slice(-200)).slice(0, COOKIES_TRIED)
  for (const { cookie, session } of tried) {
    const { status, body } = await browsers.ask('GET', random.of(ports), '/look', cookie)
    if (status === 200 && body.userId !== undefined) {
      ledger.violated(`an id that leads nowhere was served ${String(body.tag)} (${session?.tag ?? 'replaced'})`)
    }
  }
  return tried.length
}

export function checkReports(ledger: Ledger, reports: readonly ServerReport[], crashes: readonly string[]): void {
  for (const crash of crashes) ledger.violated(crash)
  for (const { unhandled, unexpected, longestMs, slowestOperation, lagMs } of reports) {
    for (const what of unhandled) ledger.violated(what)
    for (const code of unexpected) ledger.violated(`a request failed with ${code}`)
    // Timers cannot fire while the process, or the machine, is busy with something else.
    if (longestMs > TIMEOUT_MS + SLACK_MS + 2 * lagMs) {
      ledger.violated(
        `${slowestOperation} took ${Math.round(longestMs)} ms (event loop blocked ${Math.round(lagMs)} ms)`,
      )
    }
  }
}

/** Checks that onEnd has been told of every session that was there and is not. */
export function checkTold(ledger: Ledger, told: readonly [tag: string | null, reason: string][]): number {
  const tags = new Set(told.map(([tag]) => tag))
  const untold = [...ledger.sessions.values()].filter(({ tag, mayGoUntold }) => !mayGoUntold && !tags.has(tag))
  for (const { tag, state, history } of untold) ledger.violated(`onEnd was not told of ${tag} (${state}; ${history})`)
  return tags.size
}
