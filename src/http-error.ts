/**
 * An error with the HTTP status of its response, in the form of the package http-errors. Express, Connect and Koa read
 * `status`, NestJS and restify `statusCode`, Fastify either. They are plain properties, because Koa assigns to
 * `status`.
 */
export class HttpError extends Error {
  /**
   * HTTP status of the response: 503 if Redis is the reason, 500 if the application is, 401 if visitors must log in
   * again, 403 if their device is not allowed, 409 if they have logged in too often.
   */
  readonly status: number
  /** Equals `status`, for frameworks that read this name. */
  readonly statusCode: number
  /** Whether the visitor may read the message. Messages of 5xx errors are for the log. */
  readonly expose: boolean

  constructor(status: number, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.status = status
    this.statusCode = status
    this.expose = status < 500
  }
}
