import type { RedisStore } from 'connect-redis-hash'
import type { Request, RequestHandler } from 'express'
import { RequestCommands } from './request-commands.js'
import { withWatcher } from './watch-commands.js'

/** Visitors whose last request is remembered: this is a demonstration. */
const MAX_VISITORS = 1000

/** What the strip at the foot of each page shows: the Redis commands of this request, and of the one before. */
export class CommandStrip {
  readonly #kindOf: (key: string | undefined) => string
  /** By the public name of the session. */
  readonly #last = new Map<string, RequestCommands>()

  constructor(kindOf: (key: string | undefined) => string) {
    this.#kindOf = kindOf
  }

  /** Mount it before the session. */
  readonly watch: RequestHandler = (req, res, next) => {
    const commands = new RequestCommands(`${req.method} ${req.path}`, this.#kindOf)
    res.locals.commands = commands
    withWatcher(commands, next)
  }

  /**
   * Looks up what the request before has sent. A page is made before its session is saved, so only the next one can show
   * that save. Mount it after the session.
   */
  remember(store: RedisStore): RequestHandler {
    const handleOf = (req: Request) => store.handleOf(req.session)
    return (req, res, next) => {
      const handle = handleOf(req)
      res.locals.commandsBefore = handle === undefined ? undefined : this.#last.get(handle)
      // A login has changed the name by then.
      res.on('finish', () => this.#keep(handleOf(req), res.locals.commands))
      next()
    }
  }

  #keep(handle: string | undefined, commands: RequestCommands): void {
    if (handle === undefined) return
    this.#last.delete(handle)
    this.#last.set(handle, commands)
    const [oldest] = this.#last.keys()
    if (this.#last.size > MAX_VISITORS && oldest !== undefined) this.#last.delete(oldest)
  }
}
