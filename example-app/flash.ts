import type { Request } from 'express'
import { findTea } from './teas.js'

/**
 * A message for the next page: a keyword, and after a colon its subject. The sentence is made when the message is
 * shown: Redis keeps a small hash in half the memory if no value is longer than 64 bytes, and sentences are longer.
 */
export type Flash = keyof typeof MESSAGES | `added:${string}`

export interface Message {
  kind: 'good' | 'bad'
  text: string
}

const good = (text: string): Message => ({ kind: 'good', text })
const bad = (text: string): Message => ({ kind: 'bad', text })

const MESSAGES = {
  'signed-up': good('Hello $name, your account is ready.'),
  'logged-in': good('Welcome back, $name!'),
  confirmed: good('Thank you, $name. On you go.'),
  emptied: good('Your basket is empty again.'),
  ordered: good('Thank you! This is an example, so no tea is on its way.'),
  'address-saved': good('Your address is saved.'),
  'log-in-first': bad('Please log in to order. Your basket comes along.'),
  'account-first': bad('Please log in to see your account.'),
  'session-over': bad(
    'Your session has ended: it was logged out on another device, or nobody used it for a while. Please log in again.',
  ),
  'confirm-first': bad('Nothing was changed yet: your password first, please.'),
  ended: bad(
    'We ended your session: it came from another network and another browser at once, as it would from a thief. ' +
      'If that was you, just log in again.',
  ),
}

export function flash(req: Request, message: Flash): void {
  req.session.flash = [...(req.session.flash ?? []), message]
}

/** Returns the waiting messages, and removes them from the session. */
export function takeFlashes(req: Request): Message[] {
  const waiting = req.session.flash ?? []
  delete req.session.flash
  return waiting.map((message) => toMessage(message, req.session.name ?? ''))
}

function toMessage(message: Flash, name: string): Message {
  if (Object.hasOwn(MESSAGES, message)) {
    const { kind, text } = MESSAGES[message as keyof typeof MESSAGES]
    return { kind, text: text.replace('$name', () => name) }
  }
  return good(`${findTea(message.slice('added:'.length))?.name ?? 'Tea'} is in your basket.`)
}
