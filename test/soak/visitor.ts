import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type Sent, type World } from './client.js'
import type { LedgerSession } from './ledger.js'
import type { Random } from './random.js'

const TABS = 3

/**
 * A visitor with a browser: they fill a basket, log in, work in several tabs at once, and meanwhile log out, log in as
 * another user, are logged out elsewhere, or just go away.
 */
export class Visitor {
  readonly #world: World
  readonly #random: Random
  readonly #name: string
  /** The user that this visitor shares with others; they end each other's sessions. */
  readonly #team: string | undefined
  readonly #client: Client
  #logins = 0

  constructor(world: World, random: Random, name: string, team?: string) {
    this.#world = world
    this.#random = random
    this.#name = name
    this.#team = team
    this.#client = new Client(world, random, name)
  }

  async live(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const { session } = this.#client.jar
      if (session === undefined || session.state === 'ended' || this.#random.chance(0.02)) await this.#comeIn()
      else await this.#work(isOver)
      await sleep(this.#random.between(1, 30))
    }
  }

  /** Comes as nobody, with a basket; then logs in as a user that nobody else has been, or as one of the team. */
  async #comeIn(): Promise<void> {
    const { ledger } = this.#world
    this.#client.forget()
    const cart = this.#random.between(1, 1000)
    const filled = await this.#client.send('POST', `/cart/${cart}`)
    const planted = this.#client.jar.cookie
    const { isShaky } = this.#client.jar
    const session = await this.#login()
    if (session === undefined || filled.answer.status !== 200 || planted === undefined) return
    // An attacker who planted or has read that id gets nowhere with it.
    ledger.replaced(planted)
    if (session.cart !== cart && !isShaky) {
      ledger.violated(`the basket was lost at a login: ${session.cart} instead of ${cart}`)
    }
  }

  async #login(): Promise<{ cart: unknown } | undefined> {
    const { ledger } = this.#world
    this.#logins += 1
    const before = this.#client.jar.session
    const isOfTeam = this.#team !== undefined && before === undefined
    const user = isOfTeam ? (this.#team as string) : `${this.#name}-${this.#logins}`
    const tag = ledger.newTag()
    const isShort = this.#random.chance(0.15)
    if (before !== undefined) {
      ledger.unsure(before)
      before.mayGoUntold = true
    }
    await this.#world.browsers.turn()
    // A login beyond `limit` ends another session of the user.
    for (const other of ledger.ofUser(user)) ledger.unsure(other)
    const { answer, isShaky } = await this.#client.send('POST', `/login/${user}/${tag}${isShort ? '?ms=2500' : ''}`)
    if (answer.status !== 200) {
      for (const other of ledger.ofUser(user)) other.mayBeUnindexed = true
      return undefined
    }
    const session = ledger.created(tag, user)
    session.note(`login from ${before?.tag ?? 'nobody'}`)
    if (isOfTeam) ledger.unsure(session)
    if (before !== undefined && !isShaky) ledger.ended(before)
    if (answer.cookie === undefined) ledger.violated('a login without a new id')
    this.#client.take(answer, session)
    if (!isShort && before !== undefined) await this.#client.send('GET', '/look')
    if (isShort) {
      ledger.unsure(session)
      session.isLeftToExpire = true
      this.#client.forget()
    }
    return { cart: answer.body.cart }
  }

  /** Works in tabs that write; in most cases something happens to the session at the same time. */
  async #work(isOver: () => boolean): Promise<void> {
    const tabs = Array.from({ length: TABS }, (_, tab) => this.#tab(tab, this.#random.between(2, 12), isOver))
    await Promise.all([...tabs, sleep(this.#random.between(0, 400)).then(() => this.#turnOfEvents())])
  }

  async #tab(tab: number, times: number, isOver: () => boolean): Promise<void> {
    const property = `${this.#name}-${tab}`
    for (let i = 0; i < times && !isOver(); i++) {
      await this.#world.browsers.turn()
      const { session } = this.#client.jar
      if (session === undefined) return
      if (this.#random.chance(0.2)) {
        await this.#client.send('GET', '/look')
      } else {
        const count = session.count(property)
        count.attempted += 1
        const n = count.attempted
        const { answer, isClean } = await this.#client.send('POST', `/count/${property}/${n}`)
        const isServed = answer.status === 200 && answer.body.tag === session.tag
        if (isServed && isClean) this.#world.ledger.confirmed(session, property, n)
      }
      await sleep(this.#random.between(0, 40))
    }
  }

  async #turnOfEvents(): Promise<void> {
    const { ledger } = this.#world
    const what = this.#random.next()
    await this.#world.browsers.turn()
    const { session } = this.#client.jar
    if (session === undefined || session.state === 'ended') return
    if (what < 0.2) {
      await this.#ending(session, '/logout')
    } else if (what < 0.3) {
      await this.#login()
    } else if (what < 0.4) {
      const tag = ledger.newTag()
      const { answer } = await this.#ending(session, `/regenerate/${tag}`)
      if (answer.status !== 200 || answer.body.tag !== tag) return
      const next = ledger.created(tag, session.user)
      next.note(`regenerated from ${session.tag} (${session.history})`)
      if (session.user === this.#team) ledger.unsure(next)
      this.#client.take(answer, next)
    } else if (what < 0.5) {
      await this.#reauthenticate(session)
    } else if (what < 0.65 && session.user === this.#team) {
      await this.#logoutElsewhere(session)
    }
  }

  async #ending(session: LedgerSession, path: string): Promise<Sent> {
    this.#world.ledger.unsure(session)
    const sent = await this.#client.send('POST', path)
    // The session has ended now, even if it had ended before.
    if (sent.answer.status === 200 && !sent.isShaky) this.#world.ledger.ended(session)
    return sent
  }

  /** Gets a new id for the same user and the same content. */
  async #reauthenticate(session: LedgerSession): Promise<void> {
    const { cookie } = this.#client.jar
    session.disturbances += 1
    session.moves += 1
    session.isMoving = true
    const { answer } = await this.#client.send('POST', '/reauthenticate')
    session.isMoving = false
    session.disturbances += 1
    session.moves += 1
    if (answer.status === 200 && answer.body.tag === session.tag) {
      this.#client.take(answer, session)
      if (cookie !== undefined) this.#world.ledger.replaced(cookie)
    } else if (answer.status !== 200) {
      // The session under the old id may be deleted, and the new one not written.
      this.#world.ledger.unsure(session)
      session.mayGoUntold = true
      session.isAdrift = true
    }
  }

  async #logoutElsewhere(session: LedgerSession): Promise<void> {
    const { ledger } = this.#world
    const others = ledger.ofUser(session.user).filter((other) => other !== session)
    for (const other of others) ledger.unsure(other)
    // destroyBy may miss a session that is just moving, like one that only begins.
    const found = others.filter((other) => !other.isMoving)
    const moves = found.map((other) => other.moves)
    const { answer } = await this.#client.send('POST', '/logout-elsewhere')
    if (answer.status !== 200 || answer.body.tag !== session.tag) return
    for (const [i, other] of found.entries()) {
      if (other.moves !== moves[i] || other.mayBeUnindexed) continue
      other.note('logged out elsewhere')
      ledger.ended(other)
    }
  }
}
