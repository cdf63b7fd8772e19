import type { Request } from 'express'
import { visitOwnShop } from './own-visit.js'

/** What a copy of all cookies of a visitor was worth, when it was made and when it was last tried. */
export interface Theft {
  at: number
  cookies: string
  before: string
  after: string | undefined
}

/**
 * Visits the shop with these cookies, looking like the visitor (malware on their computer can), but without what only
 * their device has.
 *
 * @returns whom the shop takes the thief for
 */
export async function visitAsThief(req: Request, cookies: string): Promise<string> {
  const { status, text } = await visitOwnShop(req, '/whoami', cookies)
  return status === 200 ? text : 'nobody'
}
