import { type Request, Router } from 'express'
import type { Theft } from '../thief.js'
import { visitAsThief } from '../thief.js'

/** Copies are kept for a few visitors only: this is a demonstration. */
const MAX_THEFTS = 100

/** Lets visitors steal their own cookies, and see what the copy is worth, now and later. */
export class Thefts {
  readonly #byUser = new Map<string, Theft>()

  of(userId: string | undefined): Theft | undefined {
    return userId === undefined ? undefined : this.#byUser.get(userId)
  }

  async begin(req: Request, userId: string): Promise<void> {
    const cookies = req.headers.cookie ?? ''
    const before = await visitAsThief(req, cookies)
    this.#byUser.delete(userId)
    const [oldest] = this.#byUser.keys()
    if (this.#byUser.size >= MAX_THEFTS && oldest !== undefined) this.#byUser.delete(oldest)
    this.#byUser.set(userId, { at: Date.now(), cookies, before, after: undefined })
  }

  async tryAgain(req: Request, userId: string): Promise<void> {
    const theft = this.#byUser.get(userId)
    if (theft !== undefined) theft.after = await visitAsThief(req, theft.cookies)
  }
}

export function stealRoutes(thefts: Thefts): Router {
  const router = Router()
  router.get('/whoami', (req, res) => {
    res.type('text').send(req.session.name ?? 'nobody')
  })
  router.post('/steal', async (req, res) => {
    const { userId } = req.session
    if (userId !== undefined) await thefts.begin(req, userId)
    res.redirect(303, '/session#theft')
  })
  router.post('/steal/again', async (req, res) => {
    const { userId } = req.session
    if (userId !== undefined) await thefts.tryAgain(req, userId)
    res.redirect(303, '/session#theft')
  })
  return router
}
