import type { Keyspace } from '../admin/keyspace.js'
import { entriesIn, type IndexEntry, indexFields } from '../hash/index-fields.js'
import { handleOf } from '../ids/handle.js'
import { nextTurn } from '../real-set-immediate.js'
import type { Within } from '../redis/deadline.js'
import { type Context, reading } from '../session/context.js'
import { idsOf } from '../session/continuation.js'
import { endRevoked } from '../session/end-key.js'
import { dropEntry, type Member, newestMembers } from '../session/index-entries.js'
import { loadSession } from '../session/load.js'
import { batches, has } from './find.js'
import { Revocation, type Revoked } from './revocation.js'

/** Number of index entries per read. */
const PAGE = 500
/**
 * Maximum number of passes. A pass is repeated if its revocation expired, because sessions may have moved to other
 * ids since then.
 */
const ROUNDS = 20

/** Selects which of the indexed sessions to end. */
export interface Ending {
  /** Stored ids of the session to keep. */
  except: readonly string[]
  handle: string | undefined
  thorough: boolean
  /** Whether strings belong to the index that lists them: for callers who have no function that says so. */
  trustsIndex?: boolean
}

/** @returns number of sessions that were ended */
export async function endSessions(
  context: Context,
  keyspace: Keyspace,
  entry: IndexEntry,
  { except, handle, thorough, trustsIndex = false }: Ending,
  within: Within,
): Promise<number> {
  if (!thorough && context.strings.mayBeThere) warnOfStrings(context)
  const all = new AllOf(context, entry, { keyspace: thorough ? keyspace : undefined, trustsIndex }, within)
  if (handle === undefined) return all.endBut(except)
  const named = await all.namedBy(handle)
  const meant = named.filter((storedId) => !except.includes(storedId))
  return meant.length > 0 ? all.endOnly(meant) : 0
}

function warnOfStrings({ announcer }: Context): void {
  announcer.announce('warning', { code: 'destroy-by-incomplete', message: INCOMPLETE })
}

const INCOMPLETE =
  'destroyBy has looked only at sessions that the index names, and there are others, which connect-redis wrote: ' +
  'new RedisStore({ thorough: true }) ends them, too; it is needed until connect-redis-hash migrate has converted all'

const ALL_INDEXED =
  'destroyBy has looked at every session, and connect-redis wrote none of them: if no server runs connect-redis any more, ' +
  'the option "thorough" is not needed'

/** All sessions that are indexed under one value. */
class AllOf {
  readonly #context: Context
  readonly #entry: IndexEntry
  readonly #keyspace: Keyspace | undefined
  readonly #trustsIndex: boolean
  readonly #within: Within
  #ended = 0

  /** @param keyspace where to search for sessions that the index does not list; undefined: the index only */
  constructor(
    context: Context,
    entry: IndexEntry,
    { keyspace, trustsIndex }: { keyspace: Keyspace | undefined; trustsIndex: boolean },
    within: Within,
  ) {
    this.#context = context
    this.#entry = entry
    this.#keyspace = keyspace
    this.#trustsIndex = trustsIndex
    this.#within = within
  }

  /**
   * Ends all sessions except these. It repeats until one pass has seen all of them while none could move to another
   * id.
   */
  endBut(except: readonly string[]): Promise<number> {
    return this.#whileRevoked({ which: 'all-but', storedIds: except }, async (revocation) => {
      await this.#endListed(revocation)
      if (this.#keyspace === undefined) return
      await this.#endUnlisted(revocation, this.#keyspace)
      await this.#endListed(revocation)
    })
  }

  /** @param storedIds the stored ids of one session */
  endOnly(storedIds: readonly string[]): Promise<number> {
    return this.#whileRevoked({ which: 'only', storedIds }, async (revocation) => {
      const { members } = await this.#within(revocation.next(PAGE))
      const ids = new Set([...members.flatMap(({ text }) => idsOf(text)), ...storedIds])
      const ended = await this.#within(Promise.all([...ids].map((storedId) => this.#end(storedId))))
      await this.#within(Promise.all(members.filter(isPair).map(({ text }) => this.#drop(text))))
      if (ended.includes(true)) this.#ended += 1
    })
  }

  /** Returns the stored ids of the session with this public name. */
  async namedBy(handle: string): Promise<string[]> {
    const isMeant = (storedId: string) => handleOf(storedId) === handle
    const found: string[] = []
    let place: Member | undefined
    do {
      const members: Member[] = await this.#within((signal) =>
        newestMembers(reading(this.#context, signal), this.#entry, PAGE, place),
      )
      found.push(...members.map(({ storedId }) => storedId).filter(isMeant))
      place = members.length < PAGE ? undefined : members.at(-1)
      // Searching a large index must not block other requests.
      await nextTurn()
    } while (place !== undefined && found.length === 0)
    if (this.#keyspace === undefined || found.length > 0) return found
    for await (const batch of this.#keyspace.candidates()) found.push(...batch.filter(isMeant))
    return found
  }

  async #whileRevoked(revoked: Revoked, work: (revocation: Revocation) => Promise<void>): Promise<number> {
    const revocation = new Revocation(this.#context, this.#entry, revoked)
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await work(revocation)
        if (await this.#within(revocation.end())) break
      }
    } catch (err) {
      // The error tells the caller that some sessions may not have ended.
      revocation.end().catch(() => undefined)
      throw err
    }
    return this.#ended
  }

  /** Ends the sessions that the index lists, one page at a time. Drops entries whose session is gone. */
  async #endListed(revocation: Revocation): Promise<void> {
    // The members that stay, because their sessions may be just about to be created.
    const stay = new Set<string>()
    for (let isAll = false; !isAll; ) {
      const page = await this.#within(revocation.next(PAGE + stay.size))
      for (const batch of batches(page.members.filter(({ text }) => !stay.has(text)))) {
        const left = await this.#within(Promise.all(batch.map((member) => this.#endMember(member))))
        for (const text of left) if (text !== undefined) stay.add(text)
      }
      isAll = page.isAll
    }
  }

  /** @returns the member if its entry stays; otherwise undefined */
  async #endMember(member: Member): Promise<string | undefined> {
    let isEnded = false
    for (const storedId of idsOf(member.text)) isEnded = (await this.#end(storedId)) || isEnded
    if (isEnded) this.#ended += 1
    if (isPair(member)) await this.#drop(member.text)
    else if (!isEnded && !(await dropEntry(this.#context, member, this.#entry))) return member.text
    return undefined
  }

  /** Drops an entry, or rejects: a pass that finds it again and again would never end. */
  #drop(text: string): Promise<void> {
    const { gateway, keys } = this.#context
    return gateway.zrem(keys.index(this.#entry.name, this.#entry.value), text)
  }

  /** Ends sessions that exist but are in no index: the index was lost, or the session is older than the index. */
  async #endUnlisted(revocation: Revocation, keyspace: Keyspace): Promise<void> {
    const { options, strings, announcer } = this.#context
    strings.forget()
    for await (const batch of keyspace.candidates()) {
      const found = await this.#within((signal) => {
        const context = reading(this.#context, signal)
        return Promise.all(batch.map((storedId) => isFound(context, storedId, this.#entry)))
      })
      // Read this only after the search: a session to keep may have got another id meanwhile.
      const { named } = await this.#within(revocation.next(0))
      const meant = batch.filter((storedId, i) => found[i] && !named.includes(storedId))
      const ended = await this.#within(Promise.all(meant.map((storedId) => endRevoked(this.#context, storedId))))
      this.#ended += ended.filter(Boolean).length
    }
    if (options.thorough && !strings.mayBeThere) announcer.warnOnce('sessions-all-indexed', ALL_INDEXED)
  }

  async #end(storedId: string): Promise<boolean> {
    if (await endRevoked(this.#context, storedId, this.#entry)) return true
    // A session that connect-redis wrote has no index fields, so its content decides. Use END without an index then:
    // another request may be just about to convert the session.
    if (!(await isFound(this.#context, storedId, this.#entry, this.#trustsIndex))) return false
    if (!(await endRevoked(this.#context, storedId))) return false
    // END drops the entries that index fields name.
    await this.#drop(storedId)
    return true
  }
}

/** Whether a member stands for a session that is getting another id. */
function isPair({ from }: Member): boolean {
  return from !== undefined
}

/**
 * Whether a session belongs to this index value, by its index fields or by its content. The content counts because
 * the session may be older than the index.
 *
 * @param isListed whether the index lists it, and is to be believed about a string
 */
async function isFound(context: Context, storedId: string, entry: IndexEntry, isListed = false): Promise<boolean> {
  const loaded = await loadSession(context, storedId)
  if (loaded === null) return false
  if (isListed && loaded.record.origin.kind === 'string') return true
  const { session, record } = loaded
  return has(
    [...entriesIn(record.fields), ...entriesIn(indexFields(context.options.indexes, session, new Map()))],
    entry,
  )
}
