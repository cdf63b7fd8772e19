import type { Middleware } from '../middleware/session-request.js'

/** Composes several middleware into one; each calls the next. */
export function compose(steps: readonly Middleware[]): Middleware {
  return function compose(req, res, next) {
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
        // Like Express, catch only what the step itself throws. Later steps report their own errors.
        if (hasPassed) throw err
        next(err)
      }
    }
    run(0)
  }
}
