import { UPDATE } from '../redis/scripts/update.js'
import type { Context } from './context.js'
import { acceptWrite, type WriteReply } from './write-reply.js'

/** Changes of fields in an existing session. */
export interface FieldChanges {
  set: readonly (readonly [field: string, text: string])[]
  remove: readonly string[]
}

/**
 * The session as the caller has seen it. The update requires the same session, and its reply tells whether others have
 * saved since.
 */
export interface Seen {
  /** Creation stamp as stored; '' = any session. */
  created: string
  /** Save counter as stored; '' = not compared. */
  saves: string
  /** Whether to write nothing if others have saved since; the reply is then `outdated`. */
  isStrict?: boolean
}

/** No session has this save counter, so the reply always says that others have saved since. */
export const UNKNOWN = '-'

/** Writes some fields of an existing session with one script. Neither loads nor prolongs the session. */
export async function updateFields(
  context: Context,
  storedId: string,
  { set, remove }: FieldChanges,
  { created, saves, isStrict = false }: Seen = { created: '', saves: '' },
): Promise<WriteReply> {
  const { gateway, keys, options } = context
  const codec = context.codec.of(storedId)
  const keepLease = ['', options.absoluteMs ?? '', '', '', options.maxBytes, '']
  const pairs = set.flatMap(([field, text]) => [field, codec.encode(field, text)])
  const args = [created, saves, isStrict ? 2 : 1, ...keepLease, set.length, 0, ...pairs, ...remove]
  return acceptWrite(context, await gateway.script(UPDATE, keys.session(storedId), args))
}
