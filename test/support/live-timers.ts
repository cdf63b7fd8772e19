/**
 * Watches the timers of a test file, those of the libraries it loads included. `process.getActiveResourcesInfo()` also
 * counts what the files before it have left in the same process.
 */
export function watchTimers() {
  const { setTimeout: set, clearTimeout: clear } = globalThis
  const live = new Set<unknown>()
  globalThis.setTimeout = ((run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const timer = set(() => {
      live.delete(timer)
      run(...args)
    }, ms)
    live.add(timer)
    return timer
  }) as typeof setTimeout
  globalThis.clearTimeout = (timer) => {
    live.delete(timer)
    clear(timer)
  }
  return {
    /** Number of timers that have been set since, and have neither fired nor been cleared. */
    get count() {
      return live.size
    },
    stop() {
      Object.assign(globalThis, { setTimeout: set, clearTimeout: clear })
    },
  }
}
