import { HttpError } from '../http-error.js'

/** What was asked for takes too long at the moment. The visitor may read why. */
export class TryAgain extends HttpError {
  override readonly expose = true

  constructor(message: string) {
    super(503, message)
  }
}
