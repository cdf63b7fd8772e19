/** @param flat `[field, text, field, text, …]`, as Redis answers */
export function pairsOf(flat: readonly string[]): [field: string, text: string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]] as [string, string])
}
