import type { IncomingMessage } from 'node:http'
import { HttpError } from '../http-error.js'

/**
 * Reads the body of a request. Beyond the limit it stores nothing, however long the body is.
 *
 * @throws HttpError 413 for a longer body, 400 for one that does not arrive, or that somebody else has read
 */
export function bodyText(req: IncomingMessage, maxBytes: number): Promise<string> {
  const tooLarge = new HttpError(413, `the body must be at most ${maxBytes} bytes`)
  // No event comes if the body was cut off while the session was read, or if a parser has read it and found nothing.
  if (req.destroyed || req.readableEnded) return Promise.reject(new HttpError(400, 'the body lacks what is needed'))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    req.on('data', (read: Buffer | string) => {
      // Texts come where somebody has set an encoding.
      const chunk = Buffer.from(read as string)
      bytes += chunk.length
      if (bytes <= maxBytes) chunks.push(chunk)
      else reject(tooLarge)
    })
    req.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    // `close` also follows an error. After a complete body it has no effect, because `end` has resolved the promise.
    req.once('close', () => reject(new HttpError(400, 'the body did not arrive')))
  })
}
