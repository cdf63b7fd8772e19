import { SessionStoreError } from '../errors.js'
import { propertyOf } from '../hash/field-name.js'
import type { Context } from './context.js'
import type { SessionRecord } from './session-record.js'

/*
 * What `maxBytes` counts: names and stored texts of the properties, in bytes. Bookkeeping counts nothing: each field of it has a
 * bound of its own, and no login or touch is to fail for size. Every script that changes properties keeps the sum in `@` and
 * refuses what makes a session larger than allowed (redis/scripts/bookkeeping.lua.ts); so it holds for whatever requests write at
 * once, and a session found above the limit can still be read, and become smaller.
 */

/** @param fields as Redis holds them, or is to hold them */
export function bytesOf(fields: Iterable<readonly [field: string, text: string]>): number {
  let bytes = 0
  for (const [field, text] of fields) {
    if (propertyOf(field) !== undefined) bytes += Buffer.byteLength(field) + Buffer.byteLength(text)
  }
  return bytes
}

/**
 * For a session that is written as a whole, and before anything else is done for it.
 *
 * @param inherited bytes of the session that it goes on from: it may be as large
 * @throws ERR_SESSION_TOO_LARGE
 */
export function assertSize(
  { options }: Context,
  fields: Iterable<readonly [field: string, text: string]>,
  inherited = 0,
): void {
  const bytes = bytesOf(fields)
  if (bytes > options.maxBytes && bytes > inherited) throw tooLarge(bytes, options.maxBytes)
}

/**
 * Whether less is noted than this request has seen: somebody has written without counting. A character takes a byte at least, and
 * encrypted it takes more.
 */
export function isUndercounted({ origin, fields }: SessionRecord): boolean {
  if (origin.kind === 'string' || origin.meta.size === undefined) return false
  let characters = 0
  for (const [field, text] of fields) if (!field.startsWith('@')) characters += field.length + text.length
  return origin.meta.size < characters
}

/** Bytes of a session as it was loaded or last saved. */
export function bytesOfRecord({ origin, fields }: SessionRecord): number {
  return (origin.kind === 'hash' ? origin.meta.size : undefined) ?? bytesOf(fields)
}

export function tooLarge(bytes: number, maxBytes: number): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_TOO_LARGE',
    `session of ${bytes} bytes is over the ${maxBytes} that the "maxBytes" option allows; nothing was saved`,
  )
}
