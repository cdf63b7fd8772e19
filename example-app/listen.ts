import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

const DEFAULT_PORT = 3000
const TRIES = 20

/** Listens on PORT, or on the first free port from 3000; on this machine only, unless HOST says otherwise. */
export async function listen(handler: RequestListener): Promise<{ server: Server; url: string }> {
  const host = process.env.HOST ?? '127.0.0.1'
  const server = createServer(handler)
  const chosen = process.env.PORT
  const ports = chosen ? [Number(chosen)] : Array.from({ length: TRIES }, (_, i) => DEFAULT_PORT + i)
  for (const port of ports) {
    if (await tryPort(server, port, host)) {
      const { port: actual } = server.address() as AddressInfo
      if (port !== ports[0]) console.log(`Port ${DEFAULT_PORT} is taken, using ${actual}.`)
      return { server, url: `http://localhost:${actual}` }
    }
  }
  throw new Error(chosen ? `Port ${chosen} is in use` : `Ports ${DEFAULT_PORT} to ${ports.at(-1)} are all in use`)
}

function tryPort(server: Server, port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    }
    server.once('error', onError)
    server.listen(port, host, () => {
      server.off('error', onError)
      resolve(true)
    })
  })
}
