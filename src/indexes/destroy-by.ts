import type { Keyspace } from '../admin/keyspace.js'
import { entriesIn, type IndexEntry, indexFields } from '../hash/index-fields.js'
import { handleOf } from '../ids/handle.js'
import { nextTurn } from '../real-set-immediate.js'
import type { Within } from '../redis/deadline.js'
import { type Context, reading } from '../session/context.js'
import { endRevoked } from '../session/end-key.js'
import { idsOf } from '../session/going-on.js'
import { dropEntry, type Member, newestMembers } from '../session/index-entries.js'
import { loadSession } from '../session/load.js'
import { batches, has } from './find.js'
import { Revocation, type Revoked } from './revocation.js'

/** How many entries of an index are read at a time. */
const PAGE = 500
/** How often it may have taken so long that sessions can have gone on under other ids meanwhile. */
const ROUNDS = 20

/** Which of the sessions that are to be found somewhere. */
export interface Ending {
  /** Stored ids of the session that is to stay. */
  except: readonly string[]
  handle: string | undefined
  thorough: boolean
}

/** @returns how many have been ended */
export async function endSessions(
  context: Context,
  keyspace: Keyspace,
  entry: IndexEntry,
  { except, handle, thorough }: Ending,
  within: Within,
): Promise<number> {
  const all = new AllOf(context, entry, thorough ? keyspace : undefined, within)
  if (handle === undefined) return all.endBut(except)
  const named = await all.namedBy(handle)
  const meant = named.filter((storedId) => !except.includes(storedId))
  return meant.length > 0 ? all.endOnly(meant) : 0
}

/** All sessions that are to be found under one value of an index. */
class AllOf {
  readonly #context: Context
  readonly #entry: IndexEntry
  readonly #keyspace: Keyspace | undefined
  readonly #within: Within
  #ended = 0

  /** @param keyspace where to look for what the index does not name */
  constructor(context: Context, entry: IndexEntry, keyspace: Keyspace | undefined, within: Within) {
    this.#context = context
    this.#entry = entry
    this.#keyspace = keyspace
    this.#within = within
  }

  /** Until all have been seen, and ended, while none of them could go on under another id. */
  endBut(except: readonly string[]): Promise<number> {
    return this.#whileRevoked({ which: 'all-but', storedIds: except }, async (revocation) => {
      await this.#endListed(revocation)
      if (this.#keyspace === undefined) return
      await this.#endUnlisted(revocation, this.#keyspace)
      await this.#endListed(revocation)
    })
  }

  /** @param storedIds of one session */
  endOnly(storedIds: readonly string[]): Promise<number> {
    return this.#whileRevoked({ which: 'only', storedIds }, async (revocation) => {
      const { members } = await this.#within(revocation.next(PAGE))
      const ids = new Set([...members.flatMap(({ text }) => idsOf(text)), ...storedIds])
      const ended = await this.#within(Promise.all([...ids].map((storedId) => this.#end(storedId))))
      if (ended.includes(true)) this.#ended += 1
    })
  }

  /** The stored ids of the session with this public name. */
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
      // To look for a handle among very many must hold up nobody.
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
      // What goes on has not ended: the caller is told that.
      revocation.end().catch(() => undefined)
      throw err
    }
    return this.#ended
  }

  /** A page at a time. What is gone is dropped. */
  async #endListed(revocation: Revocation): Promise<void> {
    // Entries of sessions that may be just about to be created stay.
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

  /** @returns the member if it stays */
  async #endMember(member: Member): Promise<string | undefined> {
    let isEnded = false
    for (const storedId of idsOf(member.text)) isEnded = (await this.#end(storedId)) || isEnded
    if (isEnded) this.#ended += 1
    else if (member.from === undefined && !(await dropEntry(this.#context, member, this.#entry))) return member.text
    return undefined
  }

  /** What is there and in no index: it was lost, or the session is from before there was the index. */
  async #endUnlisted(revocation: Revocation, keyspace: Keyspace): Promise<void> {
    for await (const batch of keyspace.candidates()) {
      const found = await this.#within((signal) => {
        const context = reading(this.#context, signal)
        return Promise.all(batch.map((storedId) => isFound(context, storedId, this.#entry)))
      })
      // After that: what stays may have got another id meanwhile.
      const { named } = await this.#within(revocation.next(0))
      const meant = batch.filter((storedId, i) => found[i] && !named.includes(storedId))
      const ended = await this.#within(Promise.all(meant.map((storedId) => endRevoked(this.#context, storedId))))
      this.#ended += ended.filter(Boolean).length
    }
  }

  async #end(storedId: string): Promise<boolean> {
    if (await endRevoked(this.#context, storedId, this.#entry)) return true
    // What connect-redis wrote says in no field where it is to be found; somebody may be just about to convert it.
    return (await isFound(this.#context, storedId, this.#entry)) && endRevoked(this.#context, storedId)
  }
}

/** By what the session says where it is to be found, and by what it holds: it may be from before there was the index. */
async function isFound(context: Context, storedId: string, entry: IndexEntry): Promise<boolean> {
  const loaded = await loadSession(context, storedId)
  if (loaded === null) return false
  const { session, record } = loaded
  return has(
    [...entriesIn(record.fields), ...entriesIn(indexFields(context.options.indexes, session, new Map()))],
    entry,
  )
}
