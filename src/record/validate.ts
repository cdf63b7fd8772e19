import type { Context } from './context.js'
import { destroySession } from './destroy.js'
import { infoOfRecord } from './inspect.js'
import type { SessionContent } from './session-data.js'
import type { SessionRecord } from './session-record.js'

/**
 * Asks the application (`validate` option) whether a loaded session may still be used, and ends it if not.
 *
 * @param within gives our own commands their deadline; what the application does takes its time
 */
export async function isValid(
  context: Context,
  session: object,
  record: SessionRecord,
  within: <T>(work: Promise<T>) => Promise<T>,
): Promise<boolean> {
  const { validate } = context.options
  if (validate === undefined) return true
  const info = await within(infoOfRecord(context, record))
  if (info === null) return false
  const verdict: unknown = await validate(session as SessionContent, info)
  // A forgotten `return` must not log everybody out, nor let everybody in.
  if (typeof verdict !== 'boolean')
    throw new TypeError('"validate" option must return true or false, or a promise of it')
  if (!verdict) await within(destroySession(context, record.storedIds, 'invalid'))
  return verdict
}
