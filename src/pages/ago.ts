const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const

/**
 * Describes a time as `3 hours ago`. Minutes are the finest unit, because the store does not record times more exactly.
 *
 * @param language a valid tag of BCP 47
 * @param justNow the words for less than a minute
 */
export function ago(then: Date, now: Date, language = 'en', justNow = 'a moment ago'): string {
  const seconds = (now.getTime() - then.getTime()) / 1000
  for (const [unit, size] of UNITS) {
    const count = Math.floor(seconds / size)
    if (count >= 1) return new Intl.RelativeTimeFormat([language, 'en']).format(-count, unit)
  }
  return justNow
}
