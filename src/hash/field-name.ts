/**
 * Returns the hash field of a property. A leading `@` is doubled, because bookkeeping fields start with one. A name
 * with a lone surrogate is written as `@` and JSON, because in UTF-8 all lone surrogates become the same bytes.
 */
export function fieldOf(property: string): string {
  if (!property.isWellFormed()) return `@${JSON.stringify(property)}`
  return property.startsWith('@') ? `@${property}` : property
}

/** Returns the property of a hash field; undefined for bookkeeping, and for names that must never become a property. */
export function propertyOf(field: string): string | undefined {
  if (!field.startsWith('@')) return isProperty(field) ? field : undefined
  if (field.startsWith('@@')) return field.slice(1)
  if (field.startsWith('@"')) return parseName(field.slice(1))
  return undefined
}

/**
 * Whether a session may have a property of this name. `__proto__` would let the visitor choose the session's prototype
 * (ASVS 15.3.6). The cookie has its own fields.
 */
export function isProperty(name: string): boolean {
  return name !== '__proto__' && name !== 'cookie'
}

function parseName(json: string): string | undefined {
  try {
    const name: unknown = JSON.parse(json)
    return typeof name === 'string' && isProperty(name) ? name : undefined
  } catch {
    return undefined
  }
}
