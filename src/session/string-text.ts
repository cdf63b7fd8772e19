import { isCookieField, restoreCookie } from '../hash/cookie.js'
import { joinPieces } from '../hash/decode.js'
import { propertyOf } from '../hash/field-name.js'
import type { PlainCookie } from '../hash/live-cookie.js'
import type { Context } from './context.js'
import type { Snapshot } from './snapshot.js'

/** What a session is as connect-redis writes it. */
export interface StringText {
  text: string
  cookie: PlainCookie | undefined
}

/**
 * Makes the text that connect-redis would write: the whole session, with its cookie. Bookkeeping of this library has no
 * place there.
 */
export async function stringTextOf(
  { options }: Context,
  { fields, cookie: encoded, idle }: Pick<Snapshot, 'fields' | 'cookie' | 'idle'>,
): Promise<StringText> {
  const { serializer } = options
  const rest = joinPieces([...encoded.fields].filter(([field]) => isCookieField(field)))
  const cookie = restoreCookie({ flags: encoded.flags, idleMs: idle, seenAtMs: Date.now() }, rest)
  const session: Record<string, unknown> = cookie === undefined ? {} : { cookie }
  for (const [field, text] of fields) {
    const property = propertyOf(field)
    if (property !== undefined) session[property] = await serializer.parse(text)
  }
  return { text: serializer.stringify(session), cookie }
}
