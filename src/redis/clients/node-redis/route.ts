import type { Server } from '../../client.js'

/** How commands get from a client of node-redis to their server. There is one for each kind of client. */
export interface Route {
  readonly isCluster: boolean
  readonly isReady: boolean
  readonly isClosed: boolean
  readonly harmfulSettings: readonly string[]
  /** @param key of the command, with all prefixes */
  send(args: string[], key: string): Promise<unknown>
  /**
   * Sends a command that any server can answer.
   *
   * @param preferred a key, with all prefixes: its master sooner than others, if that is connected
   */
  sendAnywhere(args: string[], preferred?: string): Promise<unknown>
  masters(): readonly Server[]
  servers(): readonly Server[]
  ownerOf(slot: number): string | undefined
  owners(): ReadonlySet<string>
  refresh(): Promise<void>
}

/** What routes without a Cluster have in common: one server, which answers everything. */
export abstract class OneServerRoute implements Route {
  readonly isCluster = false

  get harmfulSettings(): readonly string[] {
    return []
  }

  abstract get isReady(): boolean
  abstract get isClosed(): boolean
  abstract send(args: string[]): Promise<unknown>
  abstract masters(): readonly Server[]

  sendAnywhere(args: string[]): Promise<unknown> {
    return this.send(args)
  }

  servers(): readonly Server[] {
    return this.masters()
  }

  ownerOf(): undefined {
    return undefined
  }

  owners(): ReadonlySet<string> {
    return new Set()
  }

  async refresh(): Promise<void> {}
}
