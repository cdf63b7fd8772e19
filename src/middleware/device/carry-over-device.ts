import { DEVICE_BINDING_FIELD, DEVICE_CHALLENGE_FIELD, DEVICE_KEY_FIELD } from '../../hash/bookkeeping.js'
import type { StoreAccess } from '../../requests/store-access.js'

/** Copies the binding to a session that continues another one with the same user. */
export function carryOverDevice({ fields }: StoreAccess, from: object, to: object): void {
  for (const field of [DEVICE_KEY_FIELD, DEVICE_BINDING_FIELD, DEVICE_CHALLENGE_FIELD] as const) {
    const text = fields.marked(from, field)
    if (text !== undefined) fields.mark(to, field, text)
  }
}
