const passed = new WeakMap<object, Map<string, object>>()

/**
 * Used for the whole application and for a router of it, a middleware acts once. Two of a kind would work against each
 * other: two bindings with different keys end each other's sessions.
 *
 * @param self this very middleware, or what it was made from
 * @returns whether it has seen the request before
 * @throws Error if another of its kind has
 */
export function hasPassed(req: object, name: string, self: object): boolean {
  const kinds = passed.get(req) ?? new Map<string, object>()
  passed.set(req, kinds)
  const known = kinds.get(name)
  if (known === undefined) {
    kinds.set(name, self)
    return false
  }
  if (known === self) return true
  throw new Error(`there are two ${name}: take one out (secureSession() brings its own)`)
}
