/**
 * Turns a `keep` option into a test of property names.
 *
 * @throws TypeError for any other value
 */
export function keepOption(keep: 'all' | 'none' | readonly string[]): (property: string) => boolean {
  if (keep === 'all') return () => true
  if (keep === 'none') return () => false
  if (!Array.isArray(keep) || !keep.every((name) => typeof name === 'string')) {
    throw new TypeError("\"keep\" option must be 'all', 'none' or a list of property names")
  }
  const names = new Set(keep)
  return (property) => names.has(property)
}
