import { type Response, Router } from 'express'
import { notFound } from '../errors.js'
import type { Experiment } from '../experiments/experiment.js'
import { EXPERIMENT_LIST, type Experiments, type Outcome, TooManyExperiments } from '../experiments/experiments.js'
import { showPage } from '../pages.js'

export const TWO_REQUESTS = '/two-requests'

type Results = Record<string, { theirs: Outcome; ours: Outcome }>

/**
 * The page "Two requests at once". Its forms need no token: an experiment has sessions of its own, and changes nothing
 * of the visitor's. So opening the page begins no session.
 */
export function twoRequestsRoutes(experiments: Experiments): Router {
  const router = Router()

  router.get(TWO_REQUESTS, (_req, res) => show(res, {}))

  // Somebody reloads the address of a result.
  router.get(`${TWO_REQUESTS}/:slug`, (_req, res) => res.redirect(303, TWO_REQUESTS))

  router.post(`${TWO_REQUESTS}/:slug`, async (req, res, next) => {
    const { slug } = req.params
    const chosen = EXPERIMENT_LIST.filter((experiment) => slug === 'all' || experiment.slug === slug)
    if (chosen.length === 0) {
      // Not `next()`: whatever comes next asks for a token.
      await notFound(req, res, next)
      return
    }
    try {
      show(res, await runAll(experiments, chosen))
    } catch (error) {
      if (!(error instanceof TooManyExperiments)) console.error(`${slug}: ${nameOf(error)}`)
      res.status(503).set('Retry-After', '5')
      show(res, {}, error instanceof TooManyExperiments ? BUSY : AWAY)
    }
  })

  return router
}

const BUSY = 'Many visitors are trying this at the moment. Please press the button again in a few seconds.'
const AWAY = 'Redis has not answered, so there is nothing to see. Please press the button again in a moment.'

async function runAll(experiments: Experiments, chosen: readonly Experiment[]): Promise<Results> {
  const results = await Promise.all(
    chosen.map(async (experiment) => [experiment.slug, await experiments.run(experiment)] as const),
  )
  return Object.fromEntries(results)
}

function show(res: Response, results: Results, problem = ''): void {
  showPage(res, 'two-requests', { title: 'Two requests at once', experiments: EXPERIMENT_LIST, results, problem })
}

/** What the log may tell: messages of clients can hold keys. */
function nameOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown }
  return String(code ?? name)
}
