import type { Answer, Browsers } from './browser.js'
import type { Ledger, LedgerSession } from './ledger.js'
import type { Random } from './random.js'

export interface World {
  ledger: Ledger
  browsers: Browsers
  ports: readonly number[]
}

/** The cookie that a visitor sends requests with. */
interface Jar {
  cookie: string | undefined
  session: LedgerSession | undefined
  /**
   * The cookie came during a failover, which may lose what it stands for, or it came with an answer that was on its way
   * while another one brought a newer cookie: it may be out of date.
   */
  isShaky: boolean
}

export interface Sent {
  answer: Answer
  /** Nothing has happened to the session meanwhile that would excuse its absence. */
  isClean: boolean
  isShaky: boolean
}

/** The browser of one visitor. It judges every answer by what the ledger says. */
export class Client {
  jar: Jar = { cookie: undefined, session: undefined, isShaky: false }
  readonly #world: World
  readonly #random: Random
  readonly #name: string

  constructor(world: World, random: Random, name: string) {
    this.#world = world
    this.#random = random
    this.#name = name
  }

  /** Becomes a browser that has never been here. */
  forget(): void {
    this.jar = { cookie: undefined, session: undefined, isShaky: false }
  }

  /** Keeps the cookie of the last answer that brought one, as browsers do. */
  take({ cookie }: Answer, session: LedgerSession | undefined, isLate = false): void {
    const { ledger } = this.#world
    if (cookie === undefined) return
    this.jar = { cookie, session, isShaky: isLate || ledger.isInDoubt }
    if (session !== undefined) ledger.cookies.push({ cookie, session })
  }

  async send(method: 'GET' | 'POST', path: string): Promise<Sent> {
    const { browsers, ports, ledger } = this.#world
    await browsers.turn()
    const { cookie, session, isShaky } = this.jar
    const [before, disturbances, wasMoving] = [session?.state, session?.disturbances, session?.isMoving]
    const answer = await browsers.send(method, this.#random.of(ports), path, cookie)
    session?.note(`${path} ${answer.status} ${answer.body.tag ?? 'nothing'}${answer.cookie ? ' cookie' : ''}`)
    const isUndisturbed = session !== undefined && !wasMoving && session.disturbances === disturbances
    const isClean = isUndisturbed && session.state !== 'ended'
    const makesNewOne = /^\/(login|regenerate|reauthenticate)/.test(path)
    if (answer.status === 200 && !makesNewOne) {
      this.take(answer, session, session !== undefined && !isClean)
      if (session !== undefined && path !== '/logout') {
        const { tag } = answer.body
        if (before === 'ended' && tag !== undefined && !session.isEndInDoubt) {
          ledger.violated(
            `${method} ${path}: a session was served whose end had been confirmed (${session.tag}: ${session.history})`,
          )
        }
        if (isClean && tag === undefined) this.#missing(session, isShaky)
      }
    }
    if (answer.status === 200 && !/^\/(login|regenerate)/.test(path)) this.#judge(answer, session)
    if (![200, 503, 0].includes(answer.status)) ledger.violated(`${path} answered ${answer.status}`)
    return { answer, isClean, isShaky }
  }

  /** Notes that a session is not there although nobody has ended it. */
  #missing(session: LedgerSession, isShaky: boolean): void {
    const { ledger } = this.#world
    if (session.state === 'alive' && !isShaky && !session.isCreationInDoubt) {
      ledger.violated(`the session ${session.tag} is gone, and nobody has ended it (${session.history})`)
    }
    if (isShaky) {
      // Perhaps only its id is gone: the visitor logs in again.
      this.forget()
      ledger.unsure(session)
    } else {
      ledger.ended(session)
    }
  }

  /** Checks that the visitor gets nothing of another user's. */
  #judge({ body }: Answer, session: LedgerSession | undefined): void {
    const { ledger } = this.#world
    const { userId, tag, cart: _cart, ...counts } = body
    if (userId === undefined) return
    if (session === undefined || tag !== session.tag || userId !== session.user) {
      ledger.violated(`${this.#name} as ${session?.user ?? 'nobody'} was served the session of ${String(userId)}`)
    }
    for (const [property, value] of Object.entries(counts)) {
      if (!String(value).startsWith(`${String(userId)} `))
        ledger.violated(`${String(userId)} got ${property} "${String(value)}"`)
    }
  }
}
