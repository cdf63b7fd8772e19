/**
 * Checks the names of options.
 *
 * @param what the function that takes them, e.g. `renewSession`
 * @param known an object with all known names as keys
 * @param example an example of a call
 * @throws TypeError if the options are no object, or have an unknown name: a typing mistake of the caller
 */
export function checkNames(what: string, options: unknown, known: object, example: string): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${what} takes an options object: ${example}`)
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name)) throw new TypeError(`${what} has no option "${name}"`)
  }
}
