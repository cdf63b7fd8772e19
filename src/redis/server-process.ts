import type { Server } from './client.js'
import { knownRunIdOf } from './run-id.js'

/** The server process in which a walk has begun. The cursors of SCAN mean nothing in another one. */
export class ServerProcess {
  /** undefined if the user may not run INFO, or the server does not tell. */
  readonly #runId: string | undefined
  readonly #server: Server
  #connection: unknown

  private constructor(server: Server, runId: string | undefined) {
    this.#server = server
    this.#runId = runId
    this.#connection = server.connection
  }

  /** @throws the error of the client without a connection */
  static async of(server: Server): Promise<ServerProcess> {
    return new ServerProcess(server, await knownRunIdOf(server))
  }

  /** Another one after a restart; where the process is not known, the address, which does not tell a restart. */
  get id(): string {
    return this.#runId ?? this.#server.address
  }

  /** Whether the client has connected to the server again, perhaps to another process. */
  isInDoubt(): boolean {
    const { connection } = this.#server
    // Replies may come before the client calls its first connection one.
    this.#connection ??= connection
    return connection !== this.#connection
  }

  /** Asks whether it is still the one that answers. @returns undefined if that is not known */
  async isSame(): Promise<boolean | undefined> {
    if (this.#runId === undefined) return undefined
    const { connection } = this.#server
    if ((await knownRunIdOf(this.#server)) !== this.#runId) return false
    this.#connection = connection
    return true
  }
}
