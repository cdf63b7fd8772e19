import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { applyPretence } from './pretend.js'
import type { ShopSessions } from './sessions.js'

const PATH = '/account/live'
const MAX_SOCKETS = 100
/** A code of the shop's own (RFC 6455, 7.4.2): the session has ended, and the reason says why. */
const SESSION_ENDED = 4001
const GOING_AWAY = 1001

/** The sockets of open account pages. Each closes at once when its session ends, wherever that happens. */
export class AccountSockets {
  readonly #sessions: ShopSessions['middleware']
  // Pages send nothing.
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: 1024 })

  constructor({ middleware }: ShopSessions) {
    this.#sessions = middleware
  }

  /** Answers a request to upgrade. Never rejects. */
  async upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Without a listener, a visitor who hangs up now would end the process.
    socket.on('error', () => socket.destroy())
    const refuse = (status: number) =>
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`, () => socket.destroy())
    if (req.url !== PATH || !isWebSocket(req)) return void refuse(404)
    if (!isOwnPage(req)) return void refuse(403)
    if (this.#sockets.clients.size >= MAX_SOCKETS) return void refuse(503)
    try {
      applyPretence(req)
      const session = await this.#sessions.load(req)
      if (session?.userId === undefined) return void refuse(401)
      this.#sockets.handleUpgrade(req, socket, head, (ws) => {
        ws.on('error', () => ws.terminate())
        ws.on(
          'close',
          this.#sessions.watch(session, (reason) => ws.close(SESSION_ENDED, reason)),
        )
      })
    } catch (error) {
      // 503: Redis is away, so nobody knows who this is.
      refuse((error as { status?: number }).status ?? 500)
    }
  }

  close(): void {
    for (const ws of this.#sockets.clients) ws.close(GOING_AWAY)
    this.#sockets.close()
  }
}

const isWebSocket = ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket'

/** Browsers say which page opens a socket, and send the cookies with it whichever it is. */
function isOwnPage({ headers: { origin, host } }: IncomingMessage): boolean {
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)
}
