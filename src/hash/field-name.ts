/**
 * Property name <-> hash field. A leading `@` is doubled, because bookkeeping fields start with one. A name with a lone
 * surrogate is written as JSON behind `@`: Redis holds bytes, and UTF-8 would merge all such names into one.
 */
export function fieldOf(property: string): string {
  if (!property.isWellFormed()) return `@${JSON.stringify(property)}`
  return property.startsWith('@') ? `@${property}` : property
}

/** The property a field holds; `undefined` for bookkeeping, and for what must never become a property. */
export function propertyOf(field: string): string | undefined {
  if (!field.startsWith('@')) return isProperty(field) ? field : undefined
  if (field.startsWith('@@')) return field.slice(1)
  if (field.startsWith('@"')) return parseName(field.slice(1))
  return undefined
}

/**
 * `__proto__` would give the session a prototype of the visitor's choice (ASVS 15.3.6). The cookie has fields of its
 * own.
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
