import { connect, createServer, type Socket } from 'node:net'

/** A faulty connection to Redis, on its own Unix socket. */
export interface BadLine {
  path: string
  /** Holds back what the client sends from now on; replies to earlier commands still pass. */
  hold(): void
  /** Drops all replies from now on; commands still arrive. */
  mute(): void
  /** Holds back all replies from now on; commands still arrive. */
  stall(): void
  /** Forwards everything that was held back, in order, and lets replies pass again. */
  release(): void
  /** Connects new clients to another Redis. */
  lead(redisSocketPath: string): void
  /** Closes every connection and drops what was held back. */
  cut(): void
  close(): Promise<void>
}

let made = 0

export async function badLineTo(redisSocketPath: string): Promise<BadLine> {
  const path = `${redisSocketPath}.line${made++ || ''}`
  const lines = new Set<{ client: Socket; redis: Socket; waiting: Buffer[]; answers: Buffer[] }>()
  let target = redisSocketPath
  let holding = false
  let muted = false
  let stalled = false

  const server = createServer((client) => {
    const line = { client, redis: connect(target), waiting: [] as Buffer[], answers: [] as Buffer[] }
    lines.add(line)
    client.on('data', (chunk) => {
      if (holding) line.waiting.push(chunk)
      else line.redis.write(chunk)
    })
    line.redis.on('data', (chunk) => {
      if (stalled) line.answers.push(chunk)
      else if (!muted) client.write(chunk)
    })
    for (const socket of [client, line.redis]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        lines.delete(line)
        client.destroy()
        line.redis.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => {
    server.listen(path, resolve)
  })

  function cut(): void {
    for (const line of [...lines]) {
      line.waiting.length = 0
      line.client.destroy()
    }
  }
  return {
    path,
    hold() {
      holding = true
    },
    mute() {
      muted = true
    },
    stall() {
      stalled = true
    },
    release() {
      holding = false
      muted = false
      stalled = false
      for (const line of lines) {
        for (const chunk of line.waiting.splice(0)) line.redis.write(chunk)
        for (const chunk of line.answers.splice(0)) line.client.write(chunk)
      }
    },
    lead(path) {
      target = path
    },
    cut,
    close() {
      cut()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}
