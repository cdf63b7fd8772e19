import { connect, type NetConnectOpts, type Socket } from 'node:net'

/** Address of a Redis, in a form that both `net.connect` and ioredis accept. */
export type RedisAddress = { path: string } | { host: string; port: number }

const CRLF = '\r\n'

/** Encodes a command in the Redis protocol, as an array of bulk strings, so that no argument needs quoting. */
function encode(command: string[]): string {
  return `*${command.length}${CRLF}${command.map((part) => `$${Buffer.byteLength(part)}${CRLF}${part}${CRLF}`).join('')}`
}

/**
 * Decodes the first complete reply in `text`. It supports what is needed here: simple strings, errors, integers and
 * bulk strings.
 */
function decode(text: string): string | undefined {
  const lineEnd = text.indexOf(CRLF)
  if (lineEnd < 0) return undefined
  if (text[0] !== '$') return text.slice(0, lineEnd)
  const bodyStart = lineEnd + CRLF.length
  const body = Buffer.from(text.slice(bodyStart))
  const length = Number(text.slice(1, lineEnd))
  if (length < 0) return text.slice(0, lineEnd)
  return body.length < length + CRLF.length ? undefined : body.subarray(0, length).toString()
}

/**
 * A minimal connection that sends one command at a time. It rejects if Redis closes it or does not answer within
 * `timeoutMs`.
 */
export class RedisWire {
  #socket: Socket
  private constructor(socket: Socket) {
    this.#socket = socket
  }

  static open(address: RedisAddress): Promise<RedisWire> {
    return new Promise((resolve, reject) => {
      const socket = connect(address as NetConnectOpts)
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        // An error is always followed by 'close', which is what `send` listens to.
        socket.on('error', () => {})
        resolve(new RedisWire(socket))
      })
    })
  }

  send(command: string[], timeoutMs = 2000): Promise<string> {
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      let text = ''
      const settle = (finish: () => void) => {
        clearTimeout(timer)
        socket.off('data', onData).off('close', onClose)
        finish()
      }
      const onClose = () => settle(() => reject(new Error('Redis closed the connection')))
      const onData = (chunk: Buffer) => {
        text += chunk.toString()
        const reply = decode(text)
        if (reply !== undefined) settle(() => resolve(reply))
      }
      const timer = setTimeout(() => settle(() => reject(new Error('Redis did not answer'))), timeoutMs)
      socket.on('data', onData).on('close', onClose)
      socket.write(encode(command))
    })
  }

  /** Lets the process end although this connection is open. */
  unref(): void {
    this.#socket.unref()
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Connects, sends one command and closes the connection. */
export async function sendOnce(address: RedisAddress, command: string[], timeoutMs?: number): Promise<string> {
  const wire = await RedisWire.open(address)
  try {
    return await wire.send(command, timeoutMs)
  } finally {
    wire.close()
  }
}
