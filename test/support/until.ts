import { setTimeout as sleep } from 'node:timers/promises'

/** Polls until the condition holds; what it throws counts as "not yet". */
export async function until(
  what: string,
  condition: () => unknown,
  { timeoutMs = 60_000, everyMs = 20 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  // The last look comes after the deadline: a process that was not let run meanwhile has seen nothing.
  for (let isLast = false; ; isLast = performance.now() >= deadline) {
    try {
      last = await condition()
      if (last) return
    } catch (err) {
      last = err
    }
    if (isLast) throw new Error(`${what}: not within ${timeoutMs} ms (${String(last)})`)
    await sleep(everyMs)
  }
}
