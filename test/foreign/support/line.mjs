import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/**
 * Opens a way to the Redis of REDIS_URL that a program can cut: then connections are refused, and open ones are reset.
 *
 * @returns {Promise<{ url: string, cut(): Promise<void>, restore(): Promise<void> }>}
 */
export async function openLine() {
  const { hostname, port } = new URL(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
  const sockets = new Set()
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(from)
      from.on('error', () => {})
      from.once('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: own } = server.address()
  return {
    url: `redis://127.0.0.1:${own}`,
    async cut() {
      server.close()
      for (const socket of sockets) socket.destroy()
      if (server.listening) await once(server, 'close')
    },
    async restore() {
      server.listen(own, '127.0.0.1')
      await once(server, 'listening')
    },
  }
}
