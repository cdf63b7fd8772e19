import { UPDATE } from '../redis/scripts/update.js'
import type { Context } from './context.js'
import { acceptWrite, type WriteReply } from './write-reply.js'

/** Fields to be written to a session that exists. */
export interface FieldChanges {
  set: readonly (readonly [field: string, text: string])[]
  remove: readonly string[]
}

/** What the caller has seen of the session: it must be the same one, and the reply tells whether others have saved since. */
export interface Seen {
  /** As stored; '' = whichever exists. */
  created: string
  /** As stored; '' = not compared. */
  saves: string
  /** Writes nothing if others have saved since: the reply is `outdated`. */
  isStrict?: boolean
}

/** No session has this save counter: others count as having saved since. */
export const UNKNOWN = '-'

/** Writes some fields of a session that exists, and neither loads nor prolongs it. One script. */
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
