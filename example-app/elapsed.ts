/** Whole seconds since then, never negative. */
export function secondsSince(then: Date): number {
  return Math.max(0, Math.floor((Date.now() - then.getTime()) / 1000))
}

/** `40 s`, `2 min`, `3 h`: as shop.js goes on writing it. */
export function elapsed(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`
}
