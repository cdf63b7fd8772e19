import type { Duplex } from 'node:stream'
import type { Redis, RedisOptions } from 'ioredis'
import { type Library, library } from '../../redis/connect/library.js'
import { parseUrl } from '../../redis/connect/redis-url.js'
import { replyCode } from '../../redis/redis-error.js'
import { CommandError } from '../io.js'
import { type Questions, questionsOver, type Reply } from './questions.js'
import { isLoginRefused } from './unreachable.js'

const PATIENCE_MS = 3000
/** Bytes after which a server counts as none: all that doctor asks for takes far less. */
const MAX_BYTES = 8 * 2 ** 20

/** A connection to one server that fails quickly and never reconnects. */
export class Connection implements Questions {
  readonly text: Questions['text']
  readonly list: Questions['list']
  readonly #client: Redis
  /** Why the connection was lost. */
  #failure: unknown

  private constructor(client: Redis) {
    this.#client = client
    const { text, list } = questionsOver((...call) => this.ask(...call))
    this.text = text
    this.list = list
    client.on('error', (err) => {
      this.#failure ??= err
    })
  }

  /** @throws the error of ioredis; its message may contain parts of the URL */
  static async open(url: string): Promise<Connection> {
    const client = new (installedRedis())({
      ...optionsOf(url),
      lazyConnect: true,
      connectTimeout: PATIENCE_MS,
      commandTimeout: PATIENCE_MS,
      disconnectTimeout: 100,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      // The checks report a Redis that is still loading its data.
      enableReadyCheck: false,
      disableClientInfo: true,
      protocol: 2,
    })
    let failure: unknown
    client.on('error', (err) => {
      failure ??= err
      // An answer that nobody has asked for. A server that sends millions of them is not read on.
      if (/queue state/.test((err as Error).message)) streamOf(client)?.destroy()
    })
    client.on('connect', () => limit(client))
    try {
      await client.connect()
      // This first command reveals that a login is needed, or that nothing answers.
      await client.ping().catch((err: unknown) => {
        if (!isState(replyCode(err))) throw err
      })
      // ioredis 5 and iovalkey go on after a wrong password, as the user that needs none.
      if (isLoginRefused(failure)) throw failure
      return new Connection(client)
    } catch (err) {
      client.disconnect()
      throw failure ?? err
    }
  }

  /** @throws the error of ioredis if there was no reply; the connection is then unusable */
  async ask(command: string, ...args: (string | number)[]): Promise<Reply> {
    try {
      return { value: await this.#client.call(command, ...args) }
    } catch (err) {
      const error = replyCode(err)
      // What waited for a reply hears only that the connection is closed.
      if (error === '') throw this.#failure ?? err
      return { error, isUnknown: error === 'ERR' && /unknown (sub)?command/i.test((err as Error).message) }
    }
  }

  close(): void {
    this.#client.disconnect()
  }
}

function streamOf(client: Redis): Duplex | undefined {
  return (client as Redis & { stream?: Duplex }).stream
}

/** Closes the connection if the server does not stop talking. */
function limit(client: Redis): void {
  let bytes = 0
  const stream = streamOf(client)
  stream?.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_BYTES) stream.destroy(new Error('Protocol error: the server does not stop talking'))
  })
}

/**
 * Options of a socket are read here, as iovalkey takes them for a part of its path.
 *
 * @throws CommandError
 */
function optionsOf(url: string): Omit<RedisOptions, 'replyMapping'> {
  try {
    return parseUrl(/^\/|:\/\//.test(url) ? url : `redis://${url}`)
  } catch (err) {
    throw new CommandError(`${(err as Error).message}.`)
  }
}

/** @throws CommandError that says what to install */
function installedRedis(): Library['Redis'] {
  try {
    return library('connect-redis-hash doctor', 'npm install --no-save ioredis').Redis
  } catch (err) {
    throw new CommandError((err as Error).message)
  }
}

/** Whether an error describes the state of a Redis that can be examined all the same. */
function isState(code: string): boolean {
  return ['LOADING', 'BUSY', 'MASTERDOWN', 'MISCONF', 'NOPERM'].includes(code)
}
