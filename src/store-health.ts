import type { SideConnectionKind } from './events.js'
import type { StoreParts } from './store-context.js'

/** What a store knows of its connections without asking Redis. */
export interface StoreHealth {
  /** false from the event `unavailable` until `available`. In a Cluster: while any master is away. */
  available: boolean
  /**
   * Whether the additional connections of each option that has some work: false from the warning `side-connection-down`
   * until `side-connection-up`.
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
