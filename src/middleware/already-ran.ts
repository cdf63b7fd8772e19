const passed = new WeakMap<object, Map<string, object>>()

/**
 * Makes a middleware act once per request, even when it is mounted for the whole application and again for a router.
 * Two different ones of a kind would work against each other: two bindings with different keys would end each other's
 * sessions.
 *
 * @param self this middleware, or a value that is unique to it
 * @returns whether it has run for this request before
 * @throws Error if another middleware of this kind has
 */
export function alreadyRan(req: object, name: string, self: object): boolean {
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
