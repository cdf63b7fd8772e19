import type { ServerResponse } from 'node:http'
import type { Feed, FeedEntry } from './feed.js'
import type { Limits } from './limits.js'

/** How a live feed is written. */
export interface FeedForm {
  head: string
  entry(entry: FeedEntry): string
  /** A sign of life, which proxies want, and which shows that a visitor has left. */
  beat: string
  tail: string
}

/**
 * Writes a live feed until its visitor leaves, or its time is over. What a slow visitor does not take is left out.
 *
 * @throws TryAgain if there are too many visitors already
 */
export function followResponse(
  res: ServerResponse,
  feed: Feed,
  limits: Limits,
  form: FeedForm,
  begin: () => void,
): void {
  if (res.req.method === 'HEAD') {
    begin()
    res.end()
    return
  }
  let isMissing = false
  const write = (text: string) => {
    res.write(text)
    // The middleware "compression" holds back what is not flushed.
    ;(res as { flush?: () => void }).flush?.()
  }
  const entry = (one: FeedEntry) => {
    if (res.writableLength > limits.followBytes) {
      isMissing = true
      return
    }
    if (isMissing) write(form.entry({ id: one.id - 1, at: one.at, event: 'missed' }))
    isMissing = false
    write(form.entry(one))
  }
  const end = () => {
    stop()
    res.end(form.tail)
  }
  const leave = feed.join({ entry, end })
  const beats = setInterval(() => {
    if (res.writableLength <= limits.followBytes) write(form.beat)
  }, limits.heartbeatMs).unref()
  const over = setTimeout(end, limits.followMs).unref()
  const stop = () => {
    clearInterval(beats)
    clearTimeout(over)
    leave()
  }
  res.once('close', stop)
  // Writing to a visitor who has just left is no failure of the application.
  res.on('error', stop)
  if (res.destroyed) {
    stop()
    return
  }
  begin()
  write(form.head)
}
