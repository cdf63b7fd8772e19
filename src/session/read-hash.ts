import type { Server } from '../redis/client.js'
import { READ, READ_FIELDS } from '../redis/scripts/read.js'
import type { Context } from './context.js'

/*
 * Reads of a session's key. They use plain commands, unless keys outlive their sessions (`onEnd` option): then a script
 * checks by Redis's clock whether the session is over.
 */

/** Resolves a flat list `[field, text, ...]`; `[]` if there is no such session; `null` if the key is not a hash. */
export function readHash(context: Context, storedId: string): Promise<readonly string[] | null> {
  const { gateway, keys, endOfLife } = context
  if (endOfLife === undefined) return gateway.hgetall(keys.session(storedId))
  return readByScript(context, storedId).then((reply) => (reply.kind === 'hash' ? reply.found : null))
}

export interface LastingHash {
  /** The reply, in the format of `readHash`. */
  fields: readonly string[] | null
  /** Milliseconds that the session had left when Redis read it; undefined if that is unknown. */
  leftMs: number | undefined
}

/** Reads a hash and the time that it has left, at one server, in one round trip. */
export async function readLasting(context: Context, storedId: string, server: Server): Promise<LastingHash> {
  const { gateway, keys, endOfLife } = context
  if (endOfLife === undefined) {
    const { fields, pttl } = await gateway.hgetallPttl(keys.session(storedId), server)
    return { fields, leftMs: pttl === -1 ? Number.POSITIVE_INFINITY : pttl > 0 ? pttl : undefined }
  }
  const endless = context.options.disableTTL ? Number.POSITIVE_INFINITY : undefined
  const reply = await readByScript(context, storedId, server)
  if (reply.kind === 'foreign') return { fields: null, leftMs: endless }
  return { fields: reply.found, leftMs: reply.leftMs > 0 ? reply.leftMs : endless }
}

/** Resolves `null` if the key is not a hash. */
export async function readFields(
  context: Context,
  storedId: string,
  fields: readonly string[],
): Promise<readonly (string | null)[] | null> {
  const { gateway, keys, options, endOfLife } = context
  const key = keys.session(storedId)
  if (endOfLife === undefined) return gateway.hmget(key, fields)
  const reply = await gateway.script(READ_FIELDS, key, [options.absoluteMs ?? '', ...fields])
  return reply.kind === 'hash' ? reply.found : null
}

function readByScript({ gateway, keys, options }: Context, storedId: string, server?: Server) {
  return gateway.script(READ, keys.session(storedId), [options.absoluteMs ?? ''], server)
}
