import type { AnyContent } from '../hash/session-content.js'
import { HttpError } from '../http-error.js'
import type { Within } from '../redis/deadline.js'
import type { Context } from '../session/context.js'
import { destroySession } from '../session/destroy.js'
import { infoOfRecord } from '../session/inspect.js'
import type { SessionRecord } from '../session/session-record.js'

/** The application may take this many times `timeout`. There is a limit, because a visitor must not wait for ever. */
const PATIENCE = 10

/**
 * Asks the application (`validate` option) whether a loaded session may still be used, and ends it if not.
 *
 * @param within sets the deadline of the store's own commands; the application has a longer time limit of its own
 * @throws HttpError 503 if the application does not answer
 */
export async function isValid(
  context: Context,
  session: object,
  record: SessionRecord,
  within: Within,
): Promise<boolean> {
  const { validate } = context.options
  if (validate === undefined) return true
  const info = await within(infoOfRecord(context, record))
  if (info === null) return false
  const asking: unknown = validate(session as AnyContent, info)
  const verdict = typeof asking === 'boolean' ? asking : await answerIn(PATIENCE * context.options.timeoutMs, asking)
  // A forgotten `return` must neither log all users out nor admit all of them.
  if (typeof verdict !== 'boolean')
    throw new TypeError('"validate" option must return true or false, or a promise of it')
  if (!verdict) await within(destroySession(context, record.storedIds, 'invalid'))
  return verdict
}

/** A later answer is ignored: the next request asks again. */
function answerIn(ms: number, asking: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new HttpError(503, `"validate" option has not answered within ${ms} ms (ten times "timeout")`))
    }, ms)
    void Promise.resolve(asking)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
  })
}
