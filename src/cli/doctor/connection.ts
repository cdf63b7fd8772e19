import { Redis } from 'ioredis'
import { replyCode } from '../../redis/redis-error.js'

const PATIENCE_MS = 3000

/** What came back: a reply, or the code of an error, e.g. `NOPERM`. */
export type Answer = { value: unknown } | { error: string; isUnknown: boolean }

/** A connection to one server that fails soon and never tries again. */
export class Connection {
  readonly #client: Redis

  private constructor(client: Redis) {
    this.#client = client
  }

  /** @throws what kept it from connecting, as ioredis says it: may hold what the URL does */
  static async open(url: string): Promise<Connection> {
    const client = new Redis(url, {
      lazyConnect: true,
      connectTimeout: PATIENCE_MS,
      commandTimeout: PATIENCE_MS,
      disconnectTimeout: 100,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      // Whether Redis is loading its data is for the checks to say.
      enableReadyCheck: false,
      disableClientInfo: true,
      protocol: 2,
    })
    let failure: unknown
    client.on('error', (err) => {
      failure ??= err
    })
    try {
      await client.connect()
      // The first to find out that a login is needed, or that nobody answers.
      await client.ping().catch((err: unknown) => {
        if (!isState(replyCode(err))) throw err
      })
      return new Connection(client)
    } catch (err) {
      client.disconnect()
      throw failure ?? err
    }
  }

  /** @throws what ioredis says where nothing came back: nothing will any more */
  async ask(command: string, ...args: (string | number)[]): Promise<Answer> {
    try {
      return { value: await this.#client.call(command, ...args) }
    } catch (err) {
      const error = replyCode(err)
      if (error === '') throw err
      return { error, isUnknown: error === 'ERR' && /unknown (sub)?command/i.test((err as Error).message) }
    }
  }

  /** The reply as text; undefined for any other. */
  async text(command: string, ...args: (string | number)[]): Promise<string | undefined> {
    const answer = await this.ask(command, ...args)
    return 'value' in answer && typeof answer.value === 'string' ? answer.value : undefined
  }

  /** The reply as a list; undefined for any other. */
  async list(command: string, ...args: (string | number)[]): Promise<unknown[] | undefined> {
    const answer = await this.ask(command, ...args)
    return 'value' in answer && Array.isArray(answer.value) ? answer.value : undefined
  }

  close(): void {
    this.#client.disconnect()
  }
}

/** Redis is there and says what keeps it from working, or forbids PING: that can be looked at. */
function isState(code: string): boolean {
  return ['LOADING', 'BUSY', 'MASTERDOWN', 'MISCONF', 'NOPERM'].includes(code)
}
