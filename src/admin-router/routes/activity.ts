import type { ActivityRange, ActivityReport, ActivityStep } from '../../admin/activity.js'
import { HttpError } from '../../http-error.js'
import type { ResolvedAdminRouter } from '../options.js'
import { activityPage } from '../pages/activity-page.js'
import type { Route } from '../visit.js'

export const STEPS = ['minute', 'hour', 'day'] as const satisfies readonly ActivityStep[]

const DAY_MS = 86_400_000
/** Milliseconds that are shown if nobody says from when. */
const SHOWN_MS: Readonly<Record<ActivityStep, number>> = { minute: DAY_MS / 24, hour: DAY_MS, day: 30 * DAY_MS }

/** Reads how many users and sessions were active over time. */
export function activityRoute({ access }: ResolvedAdminRouter): Route {
  return {
    action: 'activity',
    async answer({ query }) {
      const range = rangeIn(query)
      const report = access.activity === undefined ? undefined : await read(access.activity, range)
      const page = () => activityPage(range, report)
      if (report === undefined) return { status: 404, json: { error: NOT_COUNTED }, page }
      return { json: report, page }
    },
  }
}

const NOT_COUNTED = 'nobody is counted: new RedisStore({ activity: true })'

async function read(
  activity: { read(range: ActivityRange): Promise<ActivityReport> },
  range: ActivityRange,
): Promise<ActivityReport> {
  try {
    return await activity.read(range)
  } catch (err) {
    if (err instanceof TypeError)
      throw new HttpError(400, '"from" and "to" are too far apart for this "step", or reversed')
    throw err
  }
}

function rangeIn(query: URLSearchParams): Required<ActivityRange> & { from: number; to: number } {
  const name = query.get('step') || 'hour'
  const step = STEPS.find((one) => one === name)
  if (step === undefined) throw new HttpError(400, `"step" must be one of ${STEPS.join(', ')}`)
  const to = timeIn('to', query.get('to')) ?? Date.now()
  return { step, to, from: timeIn('from', query.get('from')) ?? to - SHOWN_MS[step] }
}

/** A time as ISO 8601 has it, or in milliseconds since 1970. */
function timeIn(name: string, text: string | null): number | undefined {
  if (text === null || text === '') return undefined
  const time = /^\d{9,15}$/.test(text)
    ? Number(text)
    : /^\d{4}-\d\d-\d\d/.test(text)
      ? Date.parse(utc(text))
      : Number.NaN
  if (Number.isNaN(time)) {
    throw new HttpError(400, `"${name}" must be a time: 2026-01-31, 2026-01-31T10:00Z, or milliseconds since 1970`)
  }
  return time
}

/** Browsers send the value of a time field without its zone. The page says UTC. */
function utc(text: string): string {
  return /T[\d:.]+$/.test(text) ? `${text}Z` : text
}
