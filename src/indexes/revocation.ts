import { randomBytes } from 'node:crypto'
import { pairsOf } from '../hash/fields.js'
import type { IndexEntry } from '../hash/index-fields.js'
import { REOPEN, REVOKE } from '../redis/scripts/index-sessions.js'
import type { Context } from '../session/context.js'
import { type Member, membersAmong, pendingMs } from '../session/index-entries.js'

/** Which sessions are being ended: `all-but` those that are named, or `only` them. */
export type Revoked = { which: 'all-but' | 'only'; storedIds: readonly string[] }

/** While sessions under one value of an index are being ended: none of them may go on under another id (session/going-on.ts). */
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
   * Those that end first, of all that are to be ended. What is getting another id has no entry any more.
   *
   * @param most how many entries to look at; 0 only says that this is still going on
   * @returns `isAll`: these were all entries. `named`: with what those that are to stay have gone on as
   */
  async next(most: number): Promise<{ members: Member[]; isAll: boolean; named: string[] }> {
    const args = [this.#token, pendingMs(this.#context), most, ...this.#named]
    const { entries, isAll, named } = await this.#context.gateway.script(REVOKE, this.#key, args)
    return { members: membersAmong(pairsOf(entries)), isAll, named }
  }

  /** @returns false if it was given up before, as it took too long: sessions may have gone on since `next` was called last */
  end(): Promise<boolean> {
    return this.#context.gateway.script(REOPEN, this.#key, [this.#token])
  }
}
