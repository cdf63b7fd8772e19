/*
 * What the store needs of a client of Redis. Each library has an adapter (clients/), and no other file knows a library.
 * Keys never contain the prefix that the application has given to its client: the adapter adds it.
 */

export type Arg = string | number

/** Commands on one key. */
export interface Commands {
  /** @param name the command in lower case, which has the key as its first argument */
  send(name: string, key: string, ...args: Arg[]): Promise<unknown>
  /** Convert the reply with `Client.fieldsIn`: a promise of the converted one would cost every request another promise. */
  hgetall(key: string): Promise<unknown>
  evalsha(sha: string, key: string, args: readonly Arg[]): Promise<unknown>
  eval(lua: string, key: string, args: readonly Arg[]): Promise<unknown>
}

/** Sends a command without a key, for example PING or INFO. */
export interface Ask {
  /** @param name the command in lower case */
  ask(name: string, ...args: Arg[]): Promise<unknown>
}

/** The client's connection to one server. The object stays the same while the client connects again. */
export interface Server extends Commands, Ask {
  /** `host:port`, as the Cluster names it, or the path of a Unix socket; `''` while a Sentinel has not named the master. */
  readonly address: string
  readonly isReady: boolean
  /** Whether it will not connect again by itself: the application has closed it, or it has given up. */
  readonly isClosed: boolean
  /** Whether the application has closed it. A command that is sent afterwards can prevent the reply to `quit`. */
  readonly isClosedByCaller: boolean
  /** Changes whenever the client connects to the server anew. Without a connection: undefined, or that of the last one. */
  readonly connection: unknown
  /**
   * Makes an additional connection with the options that the client has now, for example a changed password.
   *
   * @throws the error of the client, if it refuses an option
   */
  beside(): Link
}

/** The client that the application has given to the store. The application closes it. */
export interface Client extends Commands {
  readonly isCluster: boolean
  readonly isReady: boolean
  /** Whether it will not connect again by itself: the application has closed it, or it has given up. */
  readonly isClosed: boolean
  /** What the application's client puts in front of every key; `''` if nothing. */
  readonly keyPrefix: string
  /** Milliseconds after which the client itself gives up a command; Infinity if it waits. */
  readonly commandTimeoutMs: number
  /** How often a connection was lost whose pending commands the client has sent again, so that Redis may have run them twice. */
  readonly losses: number
  /**
   * Whether Redis runs scripts in the order in which they are sent, and any other command after the scripts that were
   * sent before it: all go to one server, over one connection. Not what was under way when the connection was lost
   * (`losses`).
   */
  readonly keepsOrder: boolean
  /** Settings that do harm in spite of the store's own `timeout`: a clause about each. */
  readonly harmfulSettings: readonly string[]
  /** Where to find settings that do no harm: a sentence. */
  readonly harmlessSettings: string
  /**
   * Call this before sending. Commands then leave together at the end of this turn of the event loop.
   *
   * @param isAlone whether the request usually sends nothing else in this turn: the first command may leave at once
   */
  hold(isAlone: boolean): void
  ping(): Promise<unknown>
  memoryUsage(key: string): Promise<unknown>
  /** @param key whose master sends the message to all servers of a Cluster */
  publish(channel: string, message: string, key: string): Promise<unknown>
  /** Takes the flat list `[field, text, ...]` out of a reply to `hgetall`; undefined if it is no such reply. */
  fieldsIn(reply: unknown): string[] | undefined
  /** Takes the elements out of a reply. */
  elementsIn<T>(reply: T[]): T[]
  /** The servers with sessions: the only one, or each master of a Cluster. Those that are not known yet are missing. */
  masters(): readonly Server[]
  /** The servers of a Cluster with the replicas that the client knows, or the only one. */
  servers(): readonly Server[]
  /** Address of the master that serves a slot, as far as the client knows: it learns of a move from a redirected command. */
  ownerOf(slot: number): string | undefined
  /** Addresses of all masters that serve slots. */
  owners(): ReadonlySet<string>
  /** Asks the Cluster, or the Sentinels, again which servers there are. */
  refresh(): Promise<void>
}

/**
 * An additional connection to one server, which the store opens and closes. It is never opened again: its owner makes
 * another one once it is lost. It does not keep the process alive.
 */
export interface Link extends Ask {
  readonly isReady: boolean
  /** Changes whenever something arrives, which proves that the connection works. */
  readonly heard: unknown
  open(): Promise<void>
  /** Sends commands right behind each other. Rejects with the first error. */
  askAll(commands: readonly (readonly [name: string, ...args: Arg[]])[]): Promise<unknown[]>
  subscribe(channel: string, onMessage: (message: string) => void): Promise<unknown>
  /** Subscribes to a channel whose messages are lists of keys; null: any key. */
  subscribeToKeys(channel: string, onKeys: (keys: readonly Buffer[] | null) => void): Promise<unknown>
  /** @param listener called when the connection has ended, by itself or by `close`; perhaps several times */
  onLost(listener: (why: unknown) => void): void
  close(): void
}
