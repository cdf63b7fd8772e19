/**
 * Watches the timers of a test file, those of the libraries it loads included. `process.getActiveResourcesInfo()` also
 * counts what the files before it have left in the same process.
 */
export function watchTimers() {
  const real = { setTimeout, clearTimeout, setInterval, clearInterval }
  const live = new Set<unknown>()
  globalThis.setTimeout = ((run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const timer = real.setTimeout(() => {
      live.delete(timer)
      run(...args)
    }, ms)
    live.add(timer)
    return timer
  }) as typeof setTimeout
  globalThis.setInterval = ((...args: Parameters<typeof setInterval>) => {
    const timer = real.setInterval(...args)
    live.add(timer)
    return timer
  }) as typeof setInterval
  const clear: typeof clearTimeout = (timer) => {
    live.delete(timer)
    real.clearTimeout(timer)
  }
  Object.assign(globalThis, { clearTimeout: clear, clearInterval: clear })
  return {
    /** Number of timers that have been set since and may still fire. */
    get count() {
      return live.size
    },
    stop() {
      Object.assign(globalThis, real)
    },
  }
}
