import type { Arg, Link } from '../../client.js'
import { replyCode } from '../../redis-error.js'
import { notConnected, PLAIN, texts } from './send.js'
import { isStreaming, type OneClient, type OneOptions, type StreamingLogin } from './shapes.js'

const CONNECT_MS = 3000

/** Options that differ from those of the client. The connection does not reconnect: its owner replaces it. */
const ONE_USE = {
  // What it says is in the other options already, and it would override them.
  url: undefined,
  // With RESP 3, reports of changed keys are no messages of a channel.
  RESP: 2,
  maintNotifications: 'disabled',
  clientSideCache: undefined,
  emitInvalidate: false,
  pingInterval: undefined,
  commandsQueueMaxLength: undefined,
  disableOfflineQueue: false,
  readonly: false,
  keyPrefix: undefined,
}

/** An additional connection of node-redis. */
export class NodeRedisLink implements Link {
  readonly #client: OneClient
  readonly #listeners: ((why: unknown) => void)[] = []
  #why: unknown
  #heard = 0
  #hasSocket = false
  #isClosed = false

  /**
   * @param client whose options the connection has
   * @param changed options that are newer than those of the client: its login, or another address
   */
  constructor(client: OneClient, { socket, ...changed }: OneOptions = {}) {
    const given = { ...client.options?.socket, ...socket }
    const connectTimeout = Math.min(given.connectTimeout || CONNECT_MS, CONNECT_MS)
    const reconnectStrategy = (_retries: number, why: unknown) => {
      this.#why ??= why
      // A client that has given up keeps its entry in the metrics, and with version 5 the subscription to its login.
      this.#destroy()
      return false
    }
    const { credentialsProvider: login }: OneOptions = { ...client.options, ...changed }
    this.#client = client.duplicate({
      ...ONE_USE,
      ...changed,
      ...(isStreaming(login) && { credentialsProvider: this.#whileOpen(login) }),
      socket: { ...given, connectTimeout, socketTimeout: undefined, reconnectStrategy },
    })
    this.#client.unref()
    this.#client.on('connect', () => {
      this.#hasSocket = true
      if (this.#isClosed) this.#destroy()
    })
    this.#client.on('error', (err: unknown) => {
      this.#why ??= err
      this.#lost()
    })
    this.#client.on('end', () => this.#lost())
  }

  get isReady(): boolean {
    return this.#client.isReady
  }

  get heard(): unknown {
    return this.#heard
  }

  async open(): Promise<void> {
    await this.#client.connect()
  }

  async ask(name: string, ...args: Arg[]): Promise<unknown> {
    try {
      const reply = await this.#client.sendCommand(texts([name], args), PLAIN)
      this.#heard += 1
      return reply
    } catch (err) {
      if (replyCode(err) !== '') this.#heard += 1
      throw err
    }
  }

  askAll(commands: readonly (readonly [name: string, ...args: Arg[]])[]): Promise<unknown[]> {
    return Promise.all(commands.map(([name, ...args]) => this.ask(name, ...args)))
  }

  subscribe(channel: string, onMessage: (message: string) => void): Promise<unknown> {
    return this.#client.subscribe(channel, (message: string) => {
      this.#heard += 1
      onMessage(message)
    })
  }

  subscribeToKeys(channel: string, onKeys: (keys: readonly Buffer[] | null) => void): Promise<unknown> {
    return this.#client.subscribe(channel, (keys: unknown) => onKeys(Array.isArray(keys) ? keys : null), true)
  }

  onLost(listener: (why: unknown) => void): void {
    this.#listeners.push(listener)
  }

  close(): void {
    this.#isClosed = true
    // While it connects, node-redis does not know its socket, and would leave it open.
    if (this.#hasSocket) this.#destroy()
  }

  /** A client that is closed while it subscribes to its login would never end the subscription. */
  #whileOpen(login: StreamingLogin): StreamingLogin {
    return {
      type: login.type,
      subscribe: async (listener) => {
        if (this.#isClosed) throw notConnected()
        const [credentials, subscription] = await login.subscribe(listener)
        if (!this.#isClosed) return [credentials, subscription]
        subscription.dispose()
        throw notConnected()
      },
      onReAuthenticationError: (err) => login.onReAuthenticationError(err),
    }
  }

  #destroy(): void {
    try {
      this.#client.destroy()
    } catch {
      // Version 5 throws if there is nothing to close any more.
    }
  }

  #lost(): void {
    for (const listener of this.#listeners) listener(this.#why ?? 'it was lost')
  }
}
