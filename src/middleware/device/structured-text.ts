/** The text of a structured field string: `"..."`, where `\` precedes `"` and `\` (RFC 9651, 3.3.3). */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"(?:;.*)?$/
/** Chromium sends some of these texts without the quotes that the draft asks for. */
const BARE = /^[\w.~-]+$/

/**
 * Reads a header whose value is one string. Parameters are ignored, as the draft asks for.
 *
 * @returns undefined if there is no such header; null if it is no string, or there are several
 */
export function structuredText(header: string | string[] | undefined): string | null | undefined {
  if (header === undefined) return undefined
  if (typeof header !== 'string') return null
  const text = header.trim()
  if (BARE.test(text)) return text
  return QUOTED.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, '$1') ?? null
}

/** Writes a text of printable ASCII characters. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
