import type { Request } from 'express'

/** A field of a form. A name that occurs twice would be an array: that is no form of ours. */
export function formText(req: Request, name: string): string {
  const value = (req.body as Record<string, unknown> | undefined)?.[name]
  return typeof value === 'string' ? value : ''
}
