import type { Request } from 'express'

/** Reads a field of a form. A name that occurs twice is an array, which no form of this shop sends. */
export function formText(req: Request, name: string): string {
  const value = (req.body as Record<string, unknown> | undefined)?.[name]
  return typeof value === 'string' ? value : ''
}
