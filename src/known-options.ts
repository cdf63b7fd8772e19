/**
 * @param what whose options they are, e.g. `renewSession`
 * @param example how it is to be called
 * @throws TypeError if they are no object, or have a name that is not known: a typing mistake of the caller's
 */
export function checkNames(what: string, options: unknown, known: object, example: string): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${what} takes an options object: ${example}`)
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name)) throw new TypeError(`${what} has no option "${name}"`)
  }
}
