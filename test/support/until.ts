import { setTimeout as sleep } from 'node:timers/promises'

/** Polls until the condition holds; what it throws counts as "not yet". */
export async function until(
  what: string,
  condition: () => unknown,
  { timeoutMs = 15_000, everyMs = 20 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  while (performance.now() < deadline) {
    try {
      last = await condition()
      if (last) return
    } catch (err) {
      last = err
    }
    await sleep(everyMs)
  }
  throw new Error(`${what}: not within ${timeoutMs} ms (${String(last)})`)
}
