import { createConnection } from 'node:net'

export interface Monitor {
  stop(): void
}

/**
 * MONITOR over a connection of its own. (The client's own `monitor()` fails if a line comes in one piece with the reply
 * to the command, which happens where several test files use one Redis.)
 *
 * @param onCommand called with the words of a command and its origin: an address, or `lua`
 */
export async function monitor(
  where: string | { host: string; port: number },
  onCommand: (args: string[], source: string) => void,
): Promise<Monitor> {
  const socket = typeof where === 'string' ? createConnection(where) : createConnection(where)
  let text = ''
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      const lines = (text + chunk).split('\r\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        if (line === '+OK') resolve()
        else onCommand(...parsed(line))
      }
    })
    socket.write('MONITOR\r\n')
  })
  return { stop: () => socket.destroy() }
}

/** `+1795266246.963913 [0 unix:/tmp/redis.sock] "hmget" "key" "@"` */
function parsed(line: string): [args: string[], source: string] {
  const [, source = '', words = ''] = /^\+[\d.]+ \[\d+ (.*?)\] (.*)$/.exec(line) ?? []
  return [[...words.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => unescaped(word as string)), source]
}

/** Reverses the escapes of MONITOR: `\"`, `\\`, `\n`, `\x00`, and bytes of UTF-8. */
function unescaped(word: string): string {
  if (!word.includes('\\')) return word
  const bytes = word.replace(/\\(?:x([\da-f]{2})|(.))/gi, (_all, hex?: string, char?: string) =>
    hex === undefined ? (SHORT[char as string] ?? (char as string)) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

const SHORT: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }
