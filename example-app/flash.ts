import type { Request } from 'express'
import { findTea } from './teas.js'

/**
 * A message for the next page: a word, and after a colon what it is about. The sentence is made when it is shown. Redis
 * keeps a small hash in half the memory as long as no value in it is longer than 64 bytes, and sentences are.
 */
export type Flash = 'signed-up' | 'logged-in' | 'emptied' | 'ordered' | 'log-in-first' | `added:${string}`

export interface Message {
  kind: 'good' | 'bad'
  text: string
}

export function flash(req: Request, message: Flash): void {
  req.session.flash = [...(req.session.flash ?? []), message]
}

/** The messages that wait, which then wait no longer. */
export function takeFlashes(req: Request): Message[] {
  const waiting = req.session.flash ?? []
  delete req.session.flash
  return waiting.map((message) => toMessage(message, req.session.name ?? ''))
}

function toMessage(message: Flash, name: string): Message {
  switch (message) {
    case 'signed-up':
      return { kind: 'good', text: `Hello ${name}, your account is ready.` }
    case 'logged-in':
      return { kind: 'good', text: `Welcome back, ${name}!` }
    case 'emptied':
      return { kind: 'good', text: 'Your basket is empty again.' }
    case 'ordered':
      return { kind: 'good', text: 'Thank you! This is an example, so no tea is on its way.' }
    case 'log-in-first':
      return { kind: 'bad', text: 'Please log in to order. Your basket comes along.' }
    default:
      return { kind: 'good', text: `${findTea(message.slice('added:'.length))?.name ?? 'Tea'} is in your basket.` }
  }
}
