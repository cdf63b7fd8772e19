/** Why a request is refused. Express and Connect answer `status`; the message may be shown. */
export class Refusal extends Error {
  override readonly name = 'SessionRouterRefusal'
  readonly status: number
  /** As http-errors have it: the message is meant for the visitor. */
  readonly expose = true
  /** None: `status` says it all. Distinguishes it from a login that is stale, a 401 as well. */
  readonly code = undefined

  constructor(status: 400 | 401 | 403 | 404 | 413 | 415, message: string) {
    super(message)
    this.status = status
  }
}
