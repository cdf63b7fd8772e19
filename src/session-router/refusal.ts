import { HttpError } from '../http-error.js'

/** Why a request is refused. The message is meant for the visitor. */
export class Refusal extends HttpError {
  override readonly name = 'SessionRouterRefusal'
  /** None: `status` says it all. Distinguishes it from a login that is stale, a 401 as well. */
  readonly code = undefined

  constructor(status: 400 | 401 | 403 | 404 | 413 | 415, message: string) {
    super(status, message)
  }
}
