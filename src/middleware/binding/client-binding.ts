import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { CLIENT_DIGEST_FIELDS, CLIENT_FIELD } from '../../hash/bookkeeping.js'
import type { StoreAccess } from '../../requests/store-access.js'
import type { Slot, SlotField } from './client-fingerprint.js'

/**
 * How the client of a request compares with the client that the session is bound to. `match`: it is the same.
 * `network`: its network is another. `client`: its browser or operating system is another. `both`: both are.
 */
export type BindingVerdict = 'match' | 'network' | 'client' | 'both'

/** What one request reveals of its client. */
export interface Client {
  /** null: the request has no readable address. undefined: addresses are not compared. */
  network: Slot | null | undefined
  /** undefined: browsers are not compared. */
  browser: Slot | undefined
  /**
   * Client hints; null: the request has none, although a browser that sends any would send them. undefined: they are not
   * compared.
   */
  hints: Slot | null | undefined
  /** Whether the User-Agent is that of a browser which sends no client hints. */
  isWithoutHints: boolean
  /**
   * A readable name for the user's own list of devices; empty if it is unknown. undefined: clients are not labelled.
   */
  label: string | undefined
}

/**
 * Stores and compares the client of a session. Each thing that is compared is a slot: a bookkeeping field
 * `<kind> <salt> <digest>` of under 64 bytes. The salt differs from session to session, so that nobody can read from
 * Redis which sessions share a network. A session that gets a new id keeps its salt.
 */
export class ClientBinding {
  readonly #store: StoreAccess
  readonly #secrets: readonly string[]
  readonly #client: Client

  /** @param secrets current first */
  constructor(store: StoreAccess, secrets: readonly string[], client: Client) {
    this.#store = store
    this.#secrets = secrets
    this.#client = client
  }

  /** Binds the session to this client alone, with the session's next save. */
  bind(session: object): void {
    const slots = this.#slots()
    this.#label(session, '')
    for (const slot of slots) this.#mark(session, slot)
    for (const field of CLIENT_DIGEST_FIELDS) {
      if (!slots.some((slot) => slot.field === field)) this.#forget(session, field)
    }
  }

  /** Copies the binding to a session that continues another one. */
  carryOver(from: object, to: object): void {
    for (const field of [...CLIENT_DIGEST_FIELDS, CLIENT_FIELD] as const) {
      const text = this.#store.fields.marked(from, field)
      if (text !== undefined) this.#store.fields.mark(to, field, text)
    }
  }

  compare(session: object): BindingVerdict {
    const isNetwork = this.#isSameNetwork(session)
    if (!this.#isSame(session, this.#client.browser)) return isNetwork ? 'client' : 'both'
    // Hints alone never count as `both`: an update of a browser may change them while its visitor is on the way.
    if (!this.#hasSameHints(session)) return 'client'
    return isNetwork ? 'match' : 'network'
  }

  /** Whether client hints are the only sign of another client. They are no reason to end a session. */
  isOnlyHinted(session: object): boolean {
    const isOtherwiseSame = this.#isSameNetwork(session) && this.#isSame(session, this.#client.browser)
    return isOtherwiseSame && !this.#hasSameHints(session)
  }

  /**
   * Binds the session to what it is not bound to yet, for example an address family that it has not come from before.
   * The session's next save stores it. Call this only for a client that matches.
   */
  learn(session: object): void {
    this.#label(session, this.#store.fields.marked(session, CLIENT_FIELD) ?? '')
    for (const slot of this.#slots()) if (this.#find(session, slot) === 'new') this.#mark(session, slot)
    const { network } = this.#client
    if (!network || this.#find(session, network) !== 'outdated') return
    // This request cannot show whether the slot of the other address family has the old secret, too: learn it anew.
    this.#forget(session, network.field === '@ip4' ? '@ip6' : '@ip4')
  }

  /**
   * Replaces the slots that were made with an older secret, as far as this client matches them.
   *
   * @returns whether there were any; the caller then has to store them now
   */
  renew(session: object): boolean {
    const outdated = this.#slots().filter((slot) => this.#find(session, slot) === 'outdated')
    for (const slot of outdated) this.#mark(session, slot)
    return outdated.length > 0
  }

  #slots(): Slot[] {
    const { network, browser, hints } = this.#client
    return [network, browser, hints].filter((slot) => slot !== undefined && slot !== null)
  }

  #isSameNetwork(session: object): boolean {
    const { network } = this.#client
    // Hiding one's address must not circumvent the comparison.
    if (network === null)
      return !this.#store.fields.marked(session, '@ip4') && !this.#store.fields.marked(session, '@ip6')
    return this.#isSame(session, network)
  }

  #hasSameHints(session: object): boolean {
    const { hints, isWithoutHints } = this.#client
    if (hints === undefined) return true
    if (hints === null) return !this.#store.fields.marked(session, '@ch')
    const found = this.#find(session, hints)
    return found !== 'other' && !(found === 'new' && isWithoutHints)
  }

  #isSame(session: object, slot: Slot | undefined): boolean {
    return slot === undefined || this.#find(session, slot) !== 'other'
  }

  /** A stored slot of another kind was made under other options. It cannot be compared and counts as absent. */
  #find(session: object, { field, kind, value }: Slot): 'new' | 'same' | 'outdated' | 'other' {
    const [storedKind, salt, digest] = (this.#store.fields.marked(session, field) ?? '').split(' ')
    if (storedKind !== kind || salt === undefined || digest === undefined) return 'new'
    const at = this.#secrets.findIndex((secret) => isEqual(digestOf(secret, { field, kind, value }, salt), digest))
    if (at === -1) return 'other'
    return at === 0 ? 'same' : 'outdated'
  }

  #mark(session: object, slot: Slot): void {
    const salt = randomBytes(9).toString('base64url')
    this.#store.fields.mark(
      session,
      slot.field,
      `${slot.kind} ${salt} ${digestOf(this.#secrets[0] as string, slot, salt)}`,
    )
  }

  /** @param known the stored label, which stays; it is deleted when labels are switched off */
  #label(session: object, known: string): void {
    const { label } = this.#client
    const text = label === undefined ? '' : known || label
    if (text === '') this.#forget(session, CLIENT_FIELD)
    else if (text !== known) this.#store.fields.mark(session, CLIENT_FIELD, text)
  }

  #forget(session: object, field: SlotField | typeof CLIENT_FIELD): void {
    if (this.#store.fields.marked(session, field)) this.#store.fields.mark(session, field, '')
  }
}

function digestOf(secret: string, { field, kind, value }: Slot, salt: string): string {
  const input = JSON.stringify(['connect-redis-hash binding', field, kind, salt, value])
  return createHmac('sha256', secret).update(input).digest('base64url').slice(0, 22)
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
