import { SessionStoreError } from '../errors.js'
import type { LoadedSession } from '../hash/decode.js'
import { fieldOf } from '../hash/field-name.js'
import { type Serializer, toText } from '../hash/serializer.js'
import { handleOf } from '../ids/handle.js'
import type { StoredIds } from '../ids/id-mapper.js'
import { INCREMENT } from '../redis/scripts/increment.js'
import { SWAP } from '../redis/scripts/swap.js'
import type { Context } from './context.js'
import { assertPatchable, encodeChanges, firstWritten } from './patch.js'
import { tooLarge } from './size.js'
import { reindex } from './write-indexed.js'
import { writeUnloaded } from './write-unloaded.js'

/** How often others may change the number before we give up. Each lost race means that another request succeeded. */
const ATTEMPTS = 100

type Counted = { kind: 'counted'; value: number } | { kind: 'gone'; isArriving?: boolean } | { kind: 'foreign' }

/** Adds to a number in an existing session; an absent property counts as 0. Resolves null if there is no session. */
export async function incrementProperty(
  context: Context,
  storedIds: StoredIds,
  property: string,
  by: number,
): Promise<number | null> {
  assertPatchable(property)
  if (!Number.isFinite(by)) throw new TypeError('increment needs a finite number to add')
  const count = context.options.serializer === JSON && context.codec.isPlain ? countInRedis : countHere
  const value = await firstWritten(context, storedIds, async (storedId) => {
    let sum = 0
    const result = await writeUnloaded(context, storedId, {
      onHash: () => count(context, storedId, property, by),
      onString({ session }) {
        sum = numberIn(session, property) + by
        return encodeChanges(context, { [property]: sum })
      },
    })
    if (result.kind === 'rewritten') return sum
    if (result.kind !== 'counted') return null
    context.announcer.announceOf(storedId, 'saved', { fields: 1 })
    await reindex(context, storedId)
    return result.value
  })
  if (value !== null) return value
  context.announcer.announceOf(storedIds[0], 'refused', { operation: 'increment' })
  return null
}

/** @throws ERR_SESSION_NOT_A_NUMBER */
function numberIn(session: LoadedSession, property: string): number {
  const value = Object.hasOwn(session, property) ? session[property] : 0
  if (typeof value !== 'number') throw notANumber(property)
  return value
}

async function countInRedis(
  { gateway, keys, options }: Context,
  storedId: string,
  property: string,
  by: number,
): Promise<Counted> {
  // Redis does not parse exponents, so 1e21 and 1e-7 must be written out.
  const text = Number.isInteger(by) ? BigInt(by).toString() : by.toFixed(17).replace(/0+$/, '')
  const args = [fieldOf(property), text, options.absoluteMs ?? '', options.maxBytes]
  const reply = await gateway.script(INCREMENT, keys.session(storedId), args)
  if (reply.kind === 'too-large') throw tooLarge(reply.bytes, options.maxBytes)
  if (reply.kind === 'not-a-number') throw notANumber(property)
  return reply
}

async function countHere(context: Context, storedId: string, property: string, by: number): Promise<Counted> {
  const { gateway, keys, options } = context
  const field = fieldOf(property)
  const codec = context.codec.of(storedId)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const texts = await gateway.hmget(keys.session(storedId), [field])
    if (texts === null) return { kind: 'foreign' }
    const seen = texts[0] ?? null
    const decoded = seen === null ? null : decodeField(context, storedId, property, seen)
    if (decoded === undefined) return { kind: 'gone' }
    const before = decoded === null ? 0 : await parseOrNothing(options.serializer, decoded)
    if (typeof before !== 'number') throw notANumber(property)
    const value = before + by
    const text = toText(options.serializer, property, value) as string
    const args = [field, codec.encode(field, text), options.absoluteMs ?? '', options.maxBytes]
    if (seen !== null) args.push(seen)
    const reply = await gateway.script(SWAP, keys.session(storedId), args)
    if (reply.kind === 'too-large') throw tooLarge(reply.bytes, options.maxBytes)
    if (reply.kind === 'swapped') return { kind: 'counted', value }
    if (reply.kind !== 'changed') return reply
  }
  throw new SessionStoreError(
    'ERR_SESSION_CONFLICT',
    `session property ${JSON.stringify(property)} changed ${ATTEMPTS} times while it was being counted`,
  )
}

/** Decodes a field. If it cannot be read, emits `corrupt` and returns undefined; the session then counts as absent. */
function decodeField(context: Context, storedId: string, property: string, stored: string): string | undefined {
  try {
    return context.codec.of(storedId).decode(fieldOf(property), stored).text
  } catch {
    context.announcer.announce('corrupt', { handle: handleOf(storedId), reason: 'field', property })
    return undefined
  }
}

/** Parses a text; undefined if that fails. The serializer's own error is dropped, because it may quote the value. */
async function parseOrNothing(serializer: Serializer, text: string): Promise<unknown> {
  try {
    return await serializer.parse(text)
  } catch {
    return undefined
  }
}

function notANumber(property: string): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_NOT_A_NUMBER',
    `session property ${JSON.stringify(property)} holds no number Redis can add to`,
  )
}
