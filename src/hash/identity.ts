/**
 * Returns the text of a value that identifies a user; 7 and '7' have the same text. The value is a string, a finite
 * number, a bigint, or an object that `toJSON` turns into one of these. An example is MongoDB's ObjectId, which comes
 * back from Redis as a string.
 *
 * @returns undefined for other values. The JSON of a plain object or a list is no identity: it changes with every
 *   property and with the order. Half a surrogate pair is no character.
 */
export function identityOf(value: unknown): string | undefined {
  const plain = typeof value === 'object' && value !== null ? asJson(value) : value
  // UTF-8 has but one text for all halves of surrogate pairs: two users would be one.
  if (typeof plain === 'string') return plain.isWellFormed() ? plain : undefined
  return typeof plain === 'bigint' || Number.isFinite(plain) ? String(plain) : undefined
}

function asJson(value: { toJSON?: unknown }): unknown {
  try {
    return typeof value.toJSON === 'function' ? (value.toJSON() as unknown) : undefined
  } catch {
    return undefined
  }
}
