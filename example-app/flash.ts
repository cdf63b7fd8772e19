import type { Request } from 'express'

/** A message for the next page. */
export interface Flash {
  kind: 'good' | 'bad'
  text: string
}

export function flash(req: Request, kind: Flash['kind'], text: string): void {
  req.session.flash = [...(req.session.flash ?? []), { kind, text }]
}

/** The messages that wait, which then wait no longer. */
export function takeFlashes(req: Request): Flash[] {
  const waiting = req.session.flash ?? []
  delete req.session.flash
  return waiting
}
