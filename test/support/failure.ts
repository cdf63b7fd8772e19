import { inspect } from 'node:util'

export interface Failure {
  code: string
  status: number
  ms: number
  error: Error
}

/** Resolves with what error and after how long a promise rejects; undefined if it resolves. */
export async function failureOf(work: Promise<unknown>): Promise<Failure | undefined> {
  const start = performance.now()
  try {
    await work
    return undefined
  } catch (err) {
    const error = err as Error & Partial<Failure>
    return { code: error.code ?? error.message, status: error.status ?? 0, ms: performance.now() - start, error }
  }
}

/** Whether an operation fails several times in a row, each time without waiting. */
export async function failsAtOnce(work: () => Promise<unknown>, times = 10): Promise<boolean> {
  for (let i = 0; i < times; i++) {
    const failure = await failureOf(work())
    if (failure === undefined || failure.ms > 50) return false
  }
  return true
}

/** Everything that a logger could print of a value, including non-enumerable properties and causes. */
export function everythingIn(value: unknown): string {
  const texts = [inspect(value, { depth: null, showHidden: true, compact: false, maxStringLength: null }), json(value)]
  for (let err = value; err instanceof Error; err = err.cause) {
    const own = Object.getOwnPropertyNames(err).map((name) => json((err as never)[name]))
    texts.push(String(err), err.stack ?? '', ...own)
  }
  return texts.join('\n')
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}

/** @param secrets session ids, keys, prefixes and data, none of which may appear */
export function expectNoSecrets(value: unknown, secrets: readonly string[]): void {
  const text = everythingIn(value)
  for (const secret of secrets) {
    if (text.includes(secret)) throw new Error(`${JSON.stringify(secret)} shows in ${text}`)
  }
}
