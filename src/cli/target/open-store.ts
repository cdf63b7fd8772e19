import { EventEmitter } from 'node:events'
import { type AnyStoreOptions, resolveOptions } from '../../options.js'
import { type StoreParts, storeParts } from '../../store-context.js'
import { CommandError, EXIT, type Io } from '../io.js'
import { type Connected, connect, TIMEOUT_MS } from './connect.js'
import { lackingRules } from './lacking.js'

/** Keys that one SCAN looks at, and sessions that are read at a time. */
export const SCAN_COUNT = 250

/** A store on whatever the application has written: the command knows neither its secrets nor its functions. */
export interface Opened extends StoreParts {
  prefix: string
  /** What was connected to, without user and password. */
  address: string
}

export interface Target {
  url: string | undefined
  prefix: string
  keyPrefix: string
  /** Names of the commands of Redis that are needed, for the error message. */
  needs: readonly string[]
  options?: Pick<AnyStoreOptions, 'broadcast' | 'activity' | 'encryption'>
}

/** @throws CommandError for every failure of Redis, which names what the user lacks */
export async function withStore(io: Io, target: Target, work: (store: Opened) => Promise<number>): Promise<number> {
  const url = target.url ?? io.env.REDIS_URL
  if (url === undefined || url === '') throw new CommandError('Give the URL of a Redis, or set REDIS_URL.')
  if (target.prefix === '') throw new CommandError('--prefix takes a text that is not empty.')
  const connected = await connect(url, target.keyPrefix)
  const store = open(connected, target)
  try {
    return await work(store)
  } catch (err) {
    throw await explained(err, connected, target)
  } finally {
    store.availability.close()
    store.endings.close()
    await leave(connected)
  }
}

function open({ client, address }: Connected, { prefix, options = {} }: Target): Opened {
  const emitter = new EventEmitter()
  // Without a listener, warnings for applications would be printed.
  emitter.on('warning', () => undefined)
  const resolved = resolveOptions({ client, prefix, timeout: TIMEOUT_MS, scanCount: SCAN_COUNT, ...options })
  return { ...storeParts(resolved, emitter), prefix, address }
}

/**
 * Waits for what has been sent, such as announcements of ended sessions. The client gathers commands, and QUIT would
 * overtake them; PING leaves with them.
 */
async function leave({ client }: Connected): Promise<void> {
  await client.ping().catch(() => undefined)
  await client.quit().catch(() => undefined)
  client.disconnect()
}

async function explained(err: unknown, { url }: Connected, target: Target): Promise<unknown> {
  const { code, message, exitCode } = err as { code?: string; message: string; exitCode?: number }
  if (code?.startsWith('ERR_SESSION_') !== true) return err
  const { prefix, keyPrefix, needs } = target
  const told = `${message[0]?.toUpperCase()}${message.slice(1)}.`
  if (code !== 'ERR_SESSION_FORBIDDEN') return new CommandError(told, exitCode ?? EXIT.impossible)
  const rules = await lackingRules(url, keyPrefix, prefix, needs).catch(() => [])
  const lacks = rules.length === 0 ? '' : ` For this command it lacks: ${rules.join(' ')}.`
  const help = 'connect-redis-hash doctor --acl --admin prints a user who may do all this.'
  return new CommandError(`${told}${lacks} ${help}`, exitCode ?? EXIT.impossible)
}
