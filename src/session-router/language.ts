/** The language of the default texts, and of requests that ask for no valid one. */
export const DEFAULT_LANGUAGE = 'en'

/** Scripts that are written from right to left, as ISO 15924 names them. */
const RIGHT_TO_LEFT = new Set(['Adlm', 'Arab', 'Hebr', 'Mand', 'Mend', 'Nkoo', 'Rohg', 'Samr', 'Syrc', 'Thaa'])

/** A tag of BCP 47 in its usual spelling, e.g. `pt-BR` for `PT-br`; undefined if it is malformed. */
export function languageTag(tag: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(tag)[0]
  } catch {
    return undefined
  }
}

/** Which way the text of a language runs: the `dir` attribute of HTML. */
export function directionOf(tag: string): 'ltr' | 'rtl' {
  return RIGHT_TO_LEFT.has(new Intl.Locale(tag).maximize().script ?? '') ? 'rtl' : 'ltr'
}

/** Formats a time in UTC, because only a script in the browser would know the visitor's time zone. */
export function dateIn(tag: string, date: Date): string {
  const format = { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' } as const
  return `${date.toLocaleString([tag, DEFAULT_LANGUAGE], format)} UTC`
}
