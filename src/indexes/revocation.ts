import { randomBytes } from 'node:crypto'
import { pairsOf } from '../hash/fields.js'
import type { IndexEntry } from '../hash/index-fields.js'
import { REOPEN, REVOKE } from '../redis/scripts/index-sessions.js'
import type { Context } from '../session/context.js'
import { type Member, membersAmong, pendingMs } from '../session/index-entries.js'

/** The sessions to end: `all-but` the listed ones, or `only` those. */
export type Revoked = { which: 'all-but' | 'only'; storedIds: readonly string[] }

/**
 * Marks sessions under one index value as being ended. Meanwhile none of them can move to another id
 * (session/continuation.ts).
 */
export class Revocation {
  readonly #context: Context
  readonly #key: string
  readonly #token: string
  readonly #named: readonly string[]

  constructor(context: Context, { name, value }: IndexEntry, { which, storedIds }: Revoked) {
    this.#context = context
    this.#key = context.keys.index(name, value)
    this.#token = (which === 'only' ? '?' : '!') + randomBytes(9).toString('base64url')
    this.#named = storedIds
  }

  /**
   * Returns the sessions to end that expire first. A session that is just getting another id loses its entry by this
   * call.
   *
   * @param most number of entries to read; 0 only renews the revocation
   * @returns `isAll`: these were all entries. `named`: the listed ids, and the ids that those sessions have moved to
   */
  async next(most: number): Promise<{ members: Member[]; isAll: boolean; named: string[] }> {
    const args = [this.#token, pendingMs(this.#context), most, ...this.#named]
    const { entries, isAll, named } = await this.#context.gateway.script(REVOKE, this.#key, args)
    return { members: membersAmong(pairsOf(entries)), isAll, named }
  }

  /**
   * @returns false if the revocation expired before this call: sessions may have moved since the last call of `next`
   */
  end(): Promise<boolean> {
    return this.#context.gateway.script(REOPEN, this.#key, [this.#token])
  }
}
