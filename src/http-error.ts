/**
 * An error that says what a server answers with it, as the package http-errors has it. Express, Connect and Koa read `status`;
 * NestJS and restify `statusCode`; Fastify either. Koa writes `status` itself, so all are plain properties.
 */
export class HttpError extends Error {
  readonly status: number
  readonly statusCode: number
  /** Whether the visitor may read the message: that of a 5xx is for the log. */
  readonly expose: boolean

  constructor(status: number, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.status = status
    this.statusCode = status
    this.expose = status < 500
  }
}
