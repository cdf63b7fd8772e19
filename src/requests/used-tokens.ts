import type { Within } from '../redis/deadline.js'
import type { Context } from '../session/context.js'
import type { TokenAccess } from './store-access.js'

/** Remembers in Redis which tokens of a provider have been used. */
export class UsedTokens implements TokenAccess {
  readonly #context: Context
  readonly #within: Within

  constructor(context: Context, within: Within) {
    this.#context = context
    this.#within = within
  }

  isUsed(digest: string): Promise<boolean> {
    const { gateway, keys } = this.#context
    return this.#within(gateway.exists(keys.usedToken(digest)))
  }

  use(digest: string, ms: number): Promise<void> {
    const { gateway, keys } = this.#context
    return this.#within(gateway.setMarker(keys.usedToken(digest), Math.max(1, Math.ceil(ms))))
  }
}
