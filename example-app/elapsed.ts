/** Returns the whole seconds since then, never a negative number. */
export function secondsSince(then: Date): number {
  return Math.max(0, Math.floor((Date.now() - then.getTime()) / 1000))
}

/** Formats seconds as `40 s`, `2 min`, `3 h`. shop.js continues with the same format. */
export function elapsed(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`
}
