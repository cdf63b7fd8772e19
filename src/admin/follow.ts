import { TrackedNodes } from '../cache/tracked-nodes.js'
import type { AdminAccess } from './admin-access.js'
import { type Change, Changes } from './changes.js'

const CHECK_MS = 1000
/** After this many checks in which the client has no connection, that is told. */
const MAX_AWAY = 3
const IS_DOWN = 'A connection to Redis is down, and is tried again.'

export interface FollowNews {
  changed(change: Change): void
  /** Some changes before this moment may not be told. */
  missed(): void
  /** Something keeps changes from being told. Each text once, until all is well again. */
  warned(text: string): void
}

/**
 * Tells what happens to the sessions of a store, in every process, as Redis reports it (CLIENT TRACKING). Opens one
 * connection to each master, and reads each session that has changed.
 *
 * @returns a function that ends it
 */
export function followChanges(store: AdminAccess, news: FollowNews): () => void {
  const changes = new Changes(store, (change) => news.changed(change))
  const { client, prefix } = store.context.options
  const warned = new Set<string>()
  let isOver = false
  const warn = (text: string) => {
    if (!warned.has(text) && !isOver) news.warned(text)
    warned.add(text)
  }
  const missed = () => {
    // Closing the connections loses what follows, which is no longer asked for.
    if (!isOver) news.missed()
  }
  const nodes = new TrackedNodes(client, client.keyPrefix, prefix, {
    changed: (keys) => {
      if (keys === null) missed()
      else for (const key of keys) changes.changed(key.toString())
    },
    lost: missed,
    refused: (why) => warn(`Redis does not report changes: ${why}. Only ends are shown, of stores with "broadcast".`),
    down: () => warn(IS_DOWN),
    up: () => warned.clear(),
  })
  // A Cluster client connects to a master when it sends something there, and others may become masters.
  const connectAll = () => {
    for (const server of client.masters()) if (!server.isReady) server.ask('ping').catch(() => undefined)
  }
  connectAll()
  let away = 0
  const timer = setInterval(() => {
    connectAll()
    // Tracking begins once the client is connected, so until then nothing tells that it is not.
    const masters = client.masters()
    const isThere = masters.length > 0 && masters.every(({ isReady }) => isReady)
    away = isThere ? 0 : away + 1
    if (away >= MAX_AWAY) warn(IS_DOWN)
    if (changes.takeMissed() > 0) missed()
  }, CHECK_MS)
  return () => {
    isOver = true
    clearInterval(timer)
    nodes.close()
    changes.close()
  }
}
