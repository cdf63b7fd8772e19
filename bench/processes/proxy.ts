import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { answerCalls } from './remote.js'

/**
 * A simulated network between application and server: it delays data and counts bytes. It is a separate process, so
 * that its CPU time counts for no contender.
 */
interface Parcel {
  due: number
  deliver: () => void
}

const bytes = { toServer: 0, toClient: 0 }
const queue: Parcel[] = []
const sleeper = new Int32Array(new SharedArrayBuffer(4))
let delayMs = 0
let isRunning = false

/** Delivers what is due. Timers are too coarse for a millisecond, so it sleeps a tenth of one at a time in between. */
function deliverDue(): void {
  let next = queue[0]
  while (next !== undefined && next.due <= performance.now()) {
    queue.shift()
    next.deliver()
    next = queue[0]
  }
  isRunning = next !== undefined
  if (next === undefined) return
  const leftMs = next.due - performance.now()
  if (leftMs > 0) Atomics.wait(sleeper, 0, 0, Math.min(leftMs, 0.1))
  setImmediate(deliverDue)
}

function send(deliver: () => void): void {
  if (delayMs === 0) {
    deliver()
    return
  }
  queue.push({ due: performance.now() + delayMs, deliver })
  if (isRunning) return
  isRunning = true
  setImmediate(deliverDue)
}

function pipe(from: Socket, to: Socket, counted: keyof typeof bytes): void {
  from.setNoDelay(true)
  from.on('data', (chunk) => {
    bytes[counted] += chunk.length
    send(() => to.write(chunk))
  })
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}

const handlers = {
  async open(target: { port: number }): Promise<number> {
    const server = createServer((client) => {
      const upstream = connect(target.port, '127.0.0.1')
      pipe(client, upstream, 'toServer')
      pipe(upstream, client, 'toClient')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  /** Sets the delay, in milliseconds each way. */
  delay(ms: number): void {
    delayMs = ms
  },
  /** Returns the bytes since the last call. */
  takeBytes(_: null) {
    const taken = { ...bytes }
    bytes.toServer = 0
    bytes.toClient = 0
    return taken
  },
}

export type ProxyHandlers = typeof handlers
answerCalls(handlers)
