import { propertyOf } from '../hash/field-name.js'
import { handleOf } from '../ids/handle.js'
import type { Context } from './context.js'
import { type Delta, isOurs } from './delta.js'
import type { SessionRecord } from './session-record.js'

/**
 * Emits `conflict` if requests that saved since the load changed the same properties; the old values show that.
 *
 * @param doubted fields that this request has sent before without learning whether they were written
 * @param old what was there before the write: the texts of the fields that were set, then of those that were removed
 */
export function announceConflict(
  context: Context,
  record: SessionRecord,
  doubted: ReadonlySet<string>,
  delta: Delta,
  old: readonly (string | null)[],
): void {
  const touched: (readonly [field: string, text: string | null])[] = [
    ...delta.set,
    ...delta.remove.map((f) => [f, null] as [string, null]),
  ]
  const properties = touched
    .filter(([field, text], i) => {
      // A conflict over fields of the middleware does not concern the application. The merger announces its own.
      if (!isOurs(field) || context.merger?.covers(field)) return false
      const found = old[i] ?? null
      const loaded = record.fields.get(field) ?? null
      return found !== loaded && found !== text && !doubted.has(field)
    })
    .map(([field]) => propertyOf(field) ?? 'cookie')
  if (properties.length === 0) return
  context.announcer.announce('conflict', { handle: handleOf(record.storedId), properties: [...new Set(properties)] })
}
