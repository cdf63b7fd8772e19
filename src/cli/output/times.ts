const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const

/** A span as `3 h`, `20 min` or `5 s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  for (const [unit, size] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`
  return `${seconds} s`
}

/** A past time as `3 h ago`. */
export function since(at: Date | null, now: Date): string {
  return at === null ? '-' : `${span(now.getTime() - at.getTime())} ago`
}

/** A coming time as `in 3 h`. */
export function until(at: Date | null, now: Date): string {
  return at === null ? 'never' : `in ${span(at.getTime() - now.getTime())}`
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`
  const [size, unit] = count < 1024 ** 2 ? [1024, 'KiB'] : count < 1024 ** 3 ? [1024 ** 2, 'MiB'] : [1024 ** 3, 'GiB']
  return `${(count / size).toFixed(1)} ${unit}`
}

const NUMBER = new Intl.NumberFormat('en-US')

/** A whole number as `1,234`. */
export function grouped(count: number): string {
  return NUMBER.format(Math.round(count))
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`
}
