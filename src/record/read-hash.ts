import { READ } from '../redis/scripts/read.js'
import type { Context } from './context.js'

/*
 * What a session's key holds. A plain command, except where keys outlive their sessions (`onEnd` option): there a script
 * tells by Redis's clock whether the session is over.
 */

/** A flat list `[field, text, ...]`, `[]` if there is no such session, `null` if the key is not a hash. */
export async function readHash(context: Context, storedId: string): Promise<readonly string[] | null> {
  const { gateway, keys, options } = context
  if (options.onEnd === undefined) return gateway.hgetall(keys.session(storedId))
  return (await readByScript(context, storedId, [])) as readonly string[] | null
}

/** `null` if the key is not a hash. */
export async function readFields(
  context: Context,
  storedId: string,
  fields: readonly string[],
): Promise<readonly (string | null)[] | null> {
  const { gateway, keys, options } = context
  if (options.onEnd === undefined) return gateway.hmget(keys.session(storedId), fields)
  return readByScript(context, storedId, fields)
}

async function readByScript({ gateway, keys, options }: Context, storedId: string, fields: readonly string[]) {
  const args = [options.absoluteMs ?? '', ...fields]
  const [code, ...found] = (await gateway.script(READ, keys.session(storedId), args)) as [number, ...(string | null)[]]
  return code === 1 ? found : null
}
