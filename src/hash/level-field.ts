/**
 * The `@lv` field of a session whose user has proved who they are at a level (`rotateSession`), three words, the last one only
 * where methods were named: `2 mhk3o0x1 pwd,webauthn`
 *
 * - level: 1 to 9.
 * - since: when it was proved; milliseconds since 1970 in base 36.
 * - methods: how; names as in RFC 8176, without blanks and commas.
 */
export interface ProvenLevel {
  level: number
  /** Milliseconds since 1970. */
  sinceMs: number
  methods: readonly string[]
}

const FORM = /^([1-9]) ([0-9a-z]{1,10})(?: ([\w.,-]+))?$/

/** Bytes: one longer value would double the memory of its session. */
const MAX_BYTES = 63

/** Returns null if the text does not have this format. */
export function parseLevel(text: string | undefined): ProvenLevel | null {
  const [, level, since, methods] = FORM.exec(text ?? '') ?? []
  if (level === undefined || since === undefined) return null
  return { level: Number(level), sinceMs: Number.parseInt(since, 36), methods: methods?.split(',') ?? [] }
}

/** @throws TypeError that names the option, for values that the field cannot hold */
export function levelText({ level, sinceMs, methods }: ProvenLevel): string {
  if (!Number.isInteger(level) || level < 1 || level > 9) {
    throw new TypeError('"level" option must be a whole number from 1 to 9')
  }
  if (!Array.isArray(methods) || !methods.every((name) => typeof name === 'string' && /^[\w.-]+$/.test(name))) {
    throw new TypeError('"methods" option must be a list of names of letters, digits, - and _, such as webauthn')
  }
  const text = [level, Math.round(sinceMs).toString(36), ...(methods.length > 0 ? [methods.join(',')] : [])].join(' ')
  if (text.length > MAX_BYTES) throw new TypeError('"methods" option must have at most 50 characters in all')
  return text
}
