import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A proxy between the application and Redis that a test can slow down or cut off. */
export interface DelayProxy {
  port: number
  /** Delay in milliseconds, in each direction. */
  setDelay(ms: number): void
  /** Cuts every connection and refuses new ones, or accepts them again. */
  setDown(down: boolean): void
  close(): Promise<void>
}

export async function delayProxy(target: string): Promise<DelayProxy> {
  const sockets = new Set<Socket>()
  let delay = 0
  let down = false

  function pipe(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (delay === 0) to.write(chunk)
      else setTimeout(() => to.write(chunk), delay)
    })
    from.on('close', () => to.destroy())
    from.on('error', () => to.destroy())
    sockets.add(from)
    from.once('close', () => sockets.delete(from))
  }

  const server = createServer((client) => {
    if (down) {
      client.destroy()
      return
    }
    const upstream = connect(target)
    pipe(client, upstream)
    pipe(upstream, client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    setDelay(ms) {
      delay = ms
    },
    setDown(value) {
      down = value
      if (down) for (const socket of sockets) socket.destroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
