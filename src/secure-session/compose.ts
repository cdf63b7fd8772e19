import type { Middleware } from '../middleware/session-request.js'

/** One middleware made of several, each of which calls the next. */
export function inOrder(steps: readonly Middleware[]): Middleware {
  return function inOrder(req, res, next) {
    const run = (at: number) => {
      const step = steps[at]
      if (step === undefined) return next()
      let hasPassed = false
      try {
        step(req, res, (err) => {
          hasPassed = true
          if (err) next(err)
          else run(at + 1)
        })
      } catch (err) {
        // Only what the step itself throws, as Express has it; what comes after it has its own way to report.
        if (hasPassed) throw err
        next(err)
      }
    }
    run(0)
  }
}
