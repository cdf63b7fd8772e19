import { SessionStoreError } from '../errors.js'
import { propertyOf } from '../hash/field-name.js'
import type { Context } from './context.js'
import type { SessionRecord } from './session-record.js'

/*
 * `maxBytes` counts the names and stored texts of the properties, in bytes. Bookkeeping fields do not count: each has a
 * bound of its own, and no login or touch may fail because of the size. Every script that changes properties keeps the
 * sum in `@` and refuses a change that makes a session larger than allowed (redis/scripts/bookkeeping.lua.ts). So the
 * limit holds for concurrent writes, too, and a session that is above the limit can still be read and become smaller.
 */

/** @param fields as Redis holds them or will hold them */
export function bytesOf(fields: Iterable<readonly [field: string, text: string]>): number {
  let bytes = 0
  for (const [field, text] of fields) bytes += weightOf(field, text)
  return bytes
}

/** Returns the bytes that one field counts; none if it does not exist. */
export function weightOf(field: string, text: string | undefined): number {
  if (text === undefined || propertyOf(field) === undefined) return 0
  return Buffer.byteLength(field) + Buffer.byteLength(text)
}

/**
 * Checks the size of a session that is written as a whole. Must be called before anything else is done for the session.
 *
 * @param inherited bytes of the session that this one continues; this one may be as large
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
 * Whether the stored size is smaller than the content that this request has seen: then somebody has written without
 * counting. Each character takes at least one byte, and more if it is encrypted.
 */
export function isUndercounted(record: SessionRecord): boolean {
  const { origin } = record
  if (origin.kind === 'string' || origin.meta.size === undefined) return false
  let characters = 0
  record.eachField((text, field) => {
    if (!field.startsWith('@')) characters += field.length + text.length
  })
  return origin.meta.size < characters
}

/** Returns the bytes of a session as it was loaded or last saved. */
export function bytesOfRecord({ origin, fields }: SessionRecord): number {
  return (origin.kind === 'hash' ? origin.meta.size : undefined) ?? bytesOf(fields)
}

export function tooLarge(bytes: number, maxBytes: number): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_TOO_LARGE',
    `session of ${bytes} bytes is over the ${maxBytes} that the "maxBytes" option allows; nothing was saved`,
  )
}
