import type { AdminAccess } from '../admin/admin-access.js'
import type { Finding } from '../cli/doctor/finding.js'
import { judge } from '../cli/doctor/judge.js'
import { type Questions, questionsOver } from '../cli/doctor/questions.js'
import { readFacts } from '../cli/doctor/read-facts.js'
import type { SessionEventName } from '../events.js'
import type { Server } from '../redis/client.js'
import { deadlines } from '../redis/deadline.js'
import { replyCode } from '../redis/redis-error.js'

export interface Health {
  /** Milliseconds of one round trip. */
  pingMs: number
  /** What `doctor` says about each server. */
  servers: { address: string; findings: Finding[] }[]
  /** How often this process has emitted each event. */
  counters: Readonly<Record<SessionEventName, number>>
}

/** Servers of a Cluster that are looked at. */
const MAX_SERVERS = 12
/** Milliseconds for one question: more than a request has, because nobody waits for it in a hurry. */
const PATIENCE_MS = 3000
/** Milliseconds for which an answer is good enough for the next visitor. */
const FRESH_MS = 5000
/**
 * What is not looked at here. `access`: only somebody who connects anew knows whether it takes a password, and TLS. `data`: a
 * walk through all keys, whose findings name other applications.
 */
const NOT_HERE = ['access', 'data']

/** Looks at Redis over the connections of the application, as `doctor` does, and changes nothing. */
export class HealthCheck {
  readonly #access: AdminAccess
  #last: { at: number; health: Promise<Health> } | undefined

  constructor(access: AdminAccess) {
    this.#access = access
  }

  /** @throws SessionStoreError if Redis does not answer */
  read(): Promise<Health> {
    const now = performance.now()
    if (this.#last === undefined || now - this.#last.at > FRESH_MS) {
      const health = this.#read()
      const last = { at: now, health }
      this.#last = last
      health.catch(() => {
        if (this.#last === last) this.#last = undefined
      })
    }
    return this.#last.health
  }

  async #read(): Promise<Health> {
    const { context, within } = this.#access
    const start = performance.now()
    await within(context.gateway.ping())
    const pingMs = performance.now() - start
    const servers = context.options.client.masters().slice(0, MAX_SERVERS)
    const looked = await Promise.all(servers.map((server) => this.#look(server)))
    return { pingMs, servers: looked, counters: context.announcer.counters }
  }

  async #look(server: Server): Promise<Health['servers'][number]> {
    const { options } = this.#access.context
    const { address } = server
    const target = { address, host: address, isTls: true, isLocal: true, hasUser: true, hasPassword: true, database: 0 }
    const examination = { url: undefined, target, prefix: options.prefix, isAdmin: true }
    try {
      const facts = await readFacts(questionsTo(server), examination)
      return { address, findings: judge(facts).filter(({ check }) => !NOT_HERE.includes(check)) }
    } catch {
      const what = 'it does not answer'
      return { address, findings: [{ check: 'state', level: 'problem', what }] }
    }
  }
}

/** Asks over a connection of the application. Its failures are none of the store's: a user may lack permissions. */
function questionsTo(server: Server): Questions {
  const within = deadlines(
    PATIENCE_MS,
    () => server.isReady,
    () => undefined,
  )
  return questionsOver(async (command, ...args) => {
    try {
      return { value: await within(server.ask(command.toLowerCase(), ...args)) }
    } catch (err) {
      const error = replyCode(err)
      if (error === '') throw err
      return { error, isUnknown: error === 'ERR' && /unknown (sub)?command/i.test((err as Error).message) }
    }
  })
}
