import type { SideConnectionKind } from './events.js'
import type { StoreParts } from './store-context.js'

/** What a store knows about its connections without asking Redis. */
export interface StoreHealth {
  /** false from the event `unavailable` until `available`; in a Cluster, while any master does not answer. */
  available: boolean
  /**
   * Whether the additional connections work, for each of the options `cache`, `broadcast` and `replicas` that is set:
   * false from the warning `side-connection-down` until `side-connection-up`.
   */
  sideConnections: Partial<Record<SideConnectionKind, boolean>>
}

export function healthOf({ availability, context: { options, announcer } }: StoreParts): StoreHealth {
  const kinds: Record<SideConnectionKind, boolean> = {
    cache: options.cache !== undefined,
    broadcast: options.broadcast,
    replicas: options.replicas > 0,
  }
  const opened = (Object.keys(kinds) as SideConnectionKind[]).filter((kind) => kinds[kind])
  return {
    available: !availability.isAway,
    sideConnections: Object.fromEntries(opened.map((kind) => [kind, !announcer.sidesDown.has(kind)])),
  }
}
