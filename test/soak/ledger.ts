/**
 * What visitors were told, session by session, and so what must be true of Redis.
 *
 * - `alive`: its login was confirmed, and nobody has tried to end it.
 * - `unsure`: an end was tried and not confirmed, or may have happened by itself (`limit`). Both are right, until it is
 *   seen to be gone.
 * - `ended`: its end was confirmed, or it was seen to be gone. It must never be seen again.
 */
export type State = 'alive' | 'unsure' | 'ended'

export class LedgerSession {
  readonly tag: string
  readonly user: string
  state: State = 'alive'
  /** Counts events that may make requests under way find nothing: ends, rotations, also those only tried. */
  disturbances = 0
  /** Counts changes of its id, also those only tried: an end of all sessions of a user may miss one that moves. */
  moves = 0
  /** Its id is being changed: what other requests save meanwhile goes along, or finds the session gone and is refused. */
  isMoving = false
  /** A change of its id failed half-way, and may come about later: under an id that nobody has. */
  isAdrift = false
  /**
   * A login of the same user has failed since. If others logged in at the same moment, it may have dropped this one from
   * the index to make room, without ending it: `destroyBy` does not find it then, until its next touch.
   */
  mayBeUnindexed = false
  /** Nobody comes back with it, so it will expire. */
  isLeftToExpire = false
  /** It went on under another id with other content, or may have: onEnd is not told. */
  mayGoUntold = false
  isCreationInDoubt = false
  isEndInDoubt = false
  /** Shows what went wrong. */
  readonly #history: string[] = []
  /** For every property, what was written: a single client writes it, and counts upwards. */
  readonly counts = new Map<string, { confirmed: number; attempted: number }>()

  constructor(tag: string, user: string) {
    this.tag = tag
    this.user = user
  }

  note(what: string): void {
    this.#history.push(`${Math.round(performance.now())} ${what}`)
  }

  get history(): string {
    return this.#history.slice(-25).join(', ')
  }

  count(property: string): { confirmed: number; attempted: number } {
    const found = this.counts.get(property) ?? { confirmed: 0, attempted: 0 }
    this.counts.set(property, found)
    return found
  }
}

export class Ledger {
  readonly sessions = new Map<string, LedgerSession>()
  readonly violations: string[] = []
  /** Ids that must lead to nothing, or to that session. */
  readonly cookies: { cookie: string; session: LedgerSession | undefined }[] = []
  undoneByFailover = 0
  lostInFailover = 0
  #isInDoubt = false
  hasBeenInDoubt = false
  #made = 0

  violated(what: string): void {
    if (this.violations.length < 50) this.violations.push(what)
  }

  newTag(): string {
    this.#made += 1
    return `t${this.#made}`
  }

  /**
   * A failover begins: what is confirmed from now on may be lost with the old master, as replication is asynchronous.
   */
  beginDoubt(): void {
    this.#isInDoubt = true
    this.hasBeenInDoubt = true
    // These sessions end meanwhile, or onEnd is about to be told of them.
    for (const session of this.sessions.values()) {
      if (session.isLeftToExpire || session.state !== 'alive') session.mayGoUntold = true
    }
  }

  /** All is settled: what Redis holds now counts. */
  endDoubt(): void {
    this.#isInDoubt = false
  }

  get isInDoubt(): boolean {
    return this.#isInDoubt
  }

  created(tag: string, user: string): LedgerSession {
    const session = new LedgerSession(tag, user)
    session.isCreationInDoubt = this.#isInDoubt
    this.sessions.set(tag, session)
    return session
  }

  ended(session: LedgerSession): void {
    session.disturbances += 1
    if (session.state === 'ended') return
    session.state = 'ended'
    session.isEndInDoubt = this.#isInDoubt
    // There may never have been anything to tell of, or Redis may have lost it.
    if (session.isCreationInDoubt || this.#isInDoubt) session.mayGoUntold = true
  }

  /** A request is about to end it, or has tried to. */
  unsure(session: LedgerSession): void {
    session.disturbances += 1
    if (this.#isInDoubt) session.mayGoUntold = true
    if (session.state === 'alive') session.state = 'unsure'
  }

  /** Notes an id that its owner has exchanged for another one. */
  replaced(cookie: string): void {
    // The new master may not have heard of it.
    if (!this.#isInDoubt) this.cookies.push({ cookie, session: undefined })
  }

  ofUser(user: string): LedgerSession[] {
    return [...this.sessions.values()].filter((one) => one.user === user && one.state !== 'ended')
  }

  confirmed(session: LedgerSession, property: string, n: number): void {
    // What the old master has confirmed may be lost with it.
    if (this.#isInDoubt) return
    const count = session.count(property)
    count.confirmed = Math.max(count.confirmed, n)
  }
}
