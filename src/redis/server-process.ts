import type { Server } from './client.js'
import { runIdOf } from './run-id.js'

/** The server process in which a walk has begun. The cursors of SCAN mean nothing in another one. */
export class ServerProcess {
  /**
   * Another one after a restart. For a user who may not run INFO it is the address only, which does not tell a restart
   * between two walks.
   */
  readonly id: string
  readonly #server: Server
  #connection: unknown

  private constructor(server: Server, id: string) {
    this.#server = server
    this.id = id
    this.#connection = server.connection
  }

  static async of(server: Server): Promise<ServerProcess> {
    const runId = await runIdOf(server).catch(() => undefined)
    return new ServerProcess(server, runId ?? server.address)
  }

  /** Whether the client has connected to the server again, perhaps to another process. */
  get isInDoubt(): boolean {
    return this.#server.connection !== this.#connection
  }

  /** Asks whether it is still the one that answers. */
  async isSame(): Promise<boolean> {
    const { connection } = this.#server
    if ((await runIdOf(this.#server)) !== this.id) return false
    this.#connection = connection
    return true
  }
}
