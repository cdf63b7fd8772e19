import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** A connection to Redis, on its own Unix socket, that holds back every command until the test releases it. */
export interface GuardedLine {
  path: string
  close(): Promise<void>
}

export interface LineGuard {
  /** Called with each command, in order. The command and all later ones wait for the promise. */
  admit(args: string[]): Promise<void> | undefined
  /** Called when Redis has sent a reply. */
  answered?(): void
}

export async function guardedLineTo(redisSocketPath: string, { admit, answered }: LineGuard): Promise<GuardedLine> {
  const path = `${redisSocketPath}.${randomBytes(6).toString('hex')}`
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((client) => {
    const redis = connect(redisSocketPath)
    let unread = Buffer.alloc(0)
    let before: Promise<void> | undefined
    client.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk])
      for (let command = firstCommand(unread); command !== undefined; command = firstCommand(unread)) {
        const { args, bytes } = command
        const sent = unread.subarray(0, bytes)
        unread = unread.subarray(bytes)
        const pass = () => void redis.write(sent)
        const allowed = before === undefined ? admit(args) : before.then(() => admit(args))
        before = allowed?.then(pass)
        if (before === undefined) pass()
      }
    })
    redis.on('data', (chunk) => {
      client.write(chunk)
      answered?.()
    })
    for (const socket of [client, redis]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        redis.destroy()
      })
    }
  })
  await once(server.listen(path), 'listening')
  return {
    path,
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

/** Parses the first command that a client has sent, once it has arrived completely. */
export function firstCommand(sent: Buffer): { args: string[]; bytes: number } | undefined {
  let at = 0
  const header = (mark: string): number | undefined => {
    const end = sent.indexOf('\r\n', at)
    if (end === -1) return undefined
    const line = sent.toString('latin1', at, end)
    if (!line.startsWith(mark)) throw new Error(`no command begins with ${JSON.stringify(line)}`)
    at = end + 2
    return Number(line.slice(1))
  }
  const count = header('*')
  if (count === undefined) return undefined
  const args: string[] = []
  for (let i = 0; i < count; i++) {
    const length = header('$')
    if (length === undefined || sent.length < at + length + 2) return undefined
    args.push(sent.toString('utf8', at, at + length))
    at += length + 2
  }
  return { args, bytes: at }
}

/** A guarded line that releases commands on session keys one at a time, each when the test asks for it. */
export interface SteppedLine extends GuardedLine {
  /** Holds back commands from now on. */
  hold(): void
  /** Releases all commands that wait, and all later ones. */
  release(): void
  /**
   * Releases the next command and waits for Redis's reply.
   *
   * @param work what sends the commands
   * @returns the command; undefined if `work` has ended without another one
   */
  step(work: Promise<unknown>): Promise<readonly string[] | undefined>
}

/** @param prefix only commands that contain it wait, so those of the connection itself do not */
export async function steppedLineTo(redisSocketPath: string, prefix: string): Promise<SteppedLine> {
  const waiting: { args: readonly string[]; go(): void }[] = []
  let isHolding = false
  let arrived = () => {}
  let answered = () => {}
  const line = await guardedLineTo(redisSocketPath, {
    admit(args) {
      if (!isHolding || !args.some((arg) => arg.includes(prefix))) return undefined
      return new Promise((go) => {
        waiting.push({ args, go })
        arrived()
      })
    },
    answered: () => answered(),
  })
  return {
    ...line,
    hold() {
      isHolding = true
    },
    release() {
      isHolding = false
      for (const { go } of waiting.splice(0)) go()
    },
    async step(work) {
      let isOver = false
      const over = work.then(
        () => {
          isOver = true
        },
        () => {
          isOver = true
        },
      )
      while (waiting.length === 0) {
        const arrival = new Promise<void>((resolve) => {
          arrived = resolve
        })
        await Promise.race([over, arrival])
        if (isOver && waiting.length === 0) return undefined
      }
      const answer = new Promise<void>((resolve) => {
        answered = resolve
      })
      const next = waiting.shift()
      next?.go()
      await answer
      return next?.args
    },
  }
}
