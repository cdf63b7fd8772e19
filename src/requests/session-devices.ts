import { newSecret } from '../hash/renewal-field.js'
import { traceMethods } from '../operations.js'
import type { Within } from '../redis/deadline.js'
import {
  BIND_DEVICE,
  type BindDeviceReply,
  CHALLENGE_DEVICE,
  type ChallengeDeviceReply,
  CONFIRM_DEVICE,
  PROVE_DEVICE,
  type ProveDeviceReply,
  TELL_TIME,
} from '../redis/scripts/device.js'
import type { Script } from '../redis/scripts/script.js'
import type { Context } from '../session/context.js'
import { moveHome } from '../session/move.js'
import type { SessionRecord } from '../session/session-record.js'
import type { Sessions } from './sessions.js'
import type { DeviceAccess } from './store-access.js'

/** Milliseconds for which a login's offer to register a device holds. Browsers that can do it do so at once. */
const OFFER_MS = 10 * 60_000
/** Milliseconds for which a challenge may be answered. A hardware key may take seconds to sign it. */
const CHALLENGE_MS = 2 * 60_000
/** Milliseconds after which another tab gets a new challenge instead of the one that is there. */
const YOUNG_MS = CHALLENGE_MS / 2

/** The device that the session of a request is bound to (`bindDevice`). */
export class SessionDevices implements DeviceAccess {
  readonly #context: Context
  readonly #sessions: Sessions
  readonly #within: Within

  static {
    const names = { bind: 'device', challenge: 'device', prove: 'device', confirm: 'device' } as const
    traceMethods(SessionDevices.prototype, names, (self) => self.#context)
  }

  constructor(context: Context, sessions: Sessions, within: Within) {
    this.#context = context
    this.#sessions = sessions
    this.#within = within
  }

  knownMs(session: object): number | undefined {
    const record = this.#sessions.recordOf(session)
    return record && this.#context.clock.latestMs(this.#keyOf(record))
  }

  async tellMs(session: object): Promise<number> {
    const record = this.#sessions.recordOf(session)
    if (record === undefined) return Date.now()
    const { nowMs } = await this.#within(this.#context.gateway.script(TELL_TIME, this.#keyOf(record), []))
    return nowMs
  }

  async bind(session: object, key: string, challenge: string, secret: string): Promise<BindDeviceReply> {
    const args = [key, challenge, OFFER_MS, secret]
    return (await this.#run(BIND_DEVICE, session, args)) ?? { kind: 'gone' }
  }

  async challenge(session: object): Promise<ChallengeDeviceReply> {
    return (await this.#run(CHALLENGE_DEVICE, session, [newSecret(), YOUNG_MS])) ?? { kind: 'gone' }
  }

  async prove(session: object, key: string, challenge: string): Promise<ProveDeviceReply> {
    const args = [key, challenge, CHALLENGE_MS, newSecret(), YOUNG_MS]
    return (await this.#run(PROVE_DEVICE, session, args)) ?? { kind: 'gone' }
  }

  async confirm(session: object): Promise<void> {
    await this.#run(CONFIRM_DEVICE, session, [])
  }

  /** Returns undefined if no such session is stored as a hash; nothing else can be bound. */
  async #run<Reply>(
    script: Script<Reply>,
    session: object,
    args: readonly (string | number)[],
  ): Promise<Reply | undefined> {
    const record = this.#sessions.recordOf(session)
    if (record === undefined || record.origin.kind === 'string') return undefined
    const { created } = record.origin.meta
    const { gateway, options } = this.#context
    return this.#within(
      moveHome(this.#context, record).then(() =>
        gateway.script(script, this.#keyOf(record), [created, ...args, options.absoluteMs ?? '']),
      ),
    )
  }

  #keyOf({ storedId }: SessionRecord): string {
    return this.#context.keys.session(storedId)
  }
}
