/**
 * The text of a value that identifies somebody: 7 and '7' are the same. Strings, finite numbers, bigints, and objects that JSON
 * makes one of these, such as MongoDB's ObjectId, which comes back from Redis as its text.
 *
 * @returns undefined for what identifies nobody: an object with properties changes with each of them, and a list with its order;
 *   half a surrogate pair is no character
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
