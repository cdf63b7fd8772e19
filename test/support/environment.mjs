import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestEnvironment } from 'jest-environment-node'

/** ioredis gives a connection that it closes 2 seconds, and looking up an unknown name may take as long. */
const CLOSED_WITHIN_MS = 20_000

/** The Redis of this worker process, if it has its own (test/support/global-setup.mjs). */
const OWN_REDIS = JSON.parse(process.env.TEST_REDIS_SOCKETS ?? '[]')[Number(process.env.JEST_WORKER_ID ?? 1) - 1]
if (OWN_REDIS !== undefined) process.env.TEST_REDIS_SOCKET = OWN_REDIS

/**
 * Extends Jest's environment. Each test file gets an empty Redis that no other file uses meanwhile, because some tests
 * walk over all keys. At the end it waits until all that the file has opened is closed: connections, servers,
 * processes, timers. It names files that leave something open; otherwise nobody would know why a worker process does
 * not end.
 */
export default class ClosedEnvironment extends TestEnvironment {
  #before = openNow()
  #path

  constructor(config, context) {
    super(config, context)
    this.#path = context.testPath
  }

  async setup() {
    await super.setup()
    if (OWN_REDIS !== undefined) await emptyRedis(OWN_REDIS)
  }

  async teardown() {
    // Where stores have a client of their own, nobody waits until it is closed (least-privilege.ts, other-client.ts).
    if (process.env.TEST_ON === undefined && process.env.TEST_CLIENT === undefined) await this.#allClosed()
    forgetSubscribers()
    await super.teardown()
  }

  async #allClosed() {
    const deadline = performance.now() + CLOSED_WITHIN_MS
    for (let left = this.#left(); left.length > 0; left = this.#left()) {
      if (performance.now() > deadline) return console.error(`${this.#path} leaves open: ${left.join(', ')}`)
      await sleep(5)
    }
  }

  /** Lists the kinds of which there are more than at the beginning. */
  #left() {
    return Object.entries(openNow())
      .filter(([kind, count]) => count > (this.#before[kind] ?? 0))
      .map(([kind, count]) => `${count - (this.#before[kind] ?? 0)} ${kind}`)
  }
}

/** All files of a worker have the same channels: what one of them leaves there would listen to the next one. */
function forgetSubscribers() {
  for (const event of ['start', 'end', 'asyncStart', 'asyncEnd', 'error']) {
    const events = channel(`tracing:connect-redis-hash:operation:${event}`)
    for (const subscriber of [...(events._subscribers ?? [])]) events.unsubscribe(subscriber)
  }
}

/** Counts what keeps this process alive, by kind. */
function openNow() {
  /** @type {Record<string, number>} */
  const counts = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

/** @param {string} path */
async function emptyRedis(path) {
  const socket = connect(path)
  socket.write('FLUSHALL\r\n')
  const [reply] = await once(socket, 'data')
  socket.destroy()
  if (!String(reply).startsWith('+OK')) throw new Error(`FLUSHALL: ${reply}`)
}
