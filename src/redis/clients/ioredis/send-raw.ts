import { type Ioredis, internalsOf, isCluster, optionsOf } from './internals.js'

/** Whether the ioredis that is installed takes such commands. A later one may ask more of them. */
let works = true

/**
 * Whether commands can be sent raw now. The client must send its own kind of command while it is not connected, in a
 * Cluster, and with an option that means more work for each command.
 */
export function sendsRaw(client: Ioredis): boolean {
  return works && client.status === 'ready' && !isCluster(client) && isPlain(client)
}

/**
 * Sends a command without what ioredis does for every command of an application: its `Command` looks for keys, flattens
 * and copies the arguments, and makes a promise and five closures. That takes longer than everything else on the way to
 * the socket. Call it only if `sendsRaw`.
 *
 * @param args keys with all prefixes
 * @returns the reply, with bytes in place of texts (replies.ts)
 */
export function sendRaw(client: Ioredis, name: string, args: readonly string[]): Promise<unknown> {
  const command = new RawCommand(name, args)
  try {
    internalsOf(client).sendCommand?.(command)
  } catch (err) {
    works = false
    command.reject(err)
  }
  return command.promise
}

function isPlain(client: Ioredis): boolean {
  const { sendCommand, commandQueue } = internalsOf(client)
  // A client that only resembles ioredis has no queue of commands.
  if (typeof sendCommand !== 'function' || commandQueue === undefined) return false
  const { commandTimeout, keyPrefix, enableAutoPipelining, replyMapping } = optionsOf(client) ?? {}
  return !commandTimeout && !keyPrefix && !enableAutoPipelining && replyMapping !== 'resp3'
}

/**
 * All that `Redis.sendCommand` of ioredis 5, ioredis 6 and iovalkey needs of a command that does not block. It has no
 * closure of its own (take-out.ts).
 */
class RawCommand {
  readonly name: string
  /** Shown to tools that watch commands. */
  readonly args: readonly string[]
  readonly inTransaction = false
  isTraced = false
  // Tools that watch commands replace both, and call them without `this`.
  resolve!: (reply: unknown) => void
  reject!: (err: unknown) => void
  readonly promise: Promise<unknown>

  constructor(name: string, args: readonly string[]) {
    this.name = name
    this.args = args
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  toWritable(): string {
    const { name, args } = this
    let text = `*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`
    for (const arg of args) text += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`
    return text
  }

  /** ioredis 6 tells what the reply will look like. Only maps differ, and none is expected. */
  setReplyContext(): void {}
}
