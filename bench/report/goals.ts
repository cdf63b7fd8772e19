import { type Goal, isReached, type Results } from '../results.js'

const VERDICTS = new Map([
  [true, 'reached'],
  [false, 'not reached'],
  [null, 'not measured'],
])

/** Cells of the table of goals and results. */
export function goalCells({ measurements }: Results): string[][] {
  const rows = measurements
    .flatMap(({ goals }) => goals)
    .map((goal) => [goal.what, goal.aim, measuredText(goal), VERDICTS.get(isReached(goal)) as string])
  return [['what', 'goal', 'measured', ''], ...rows]
}

function measuredText({ measured, missing, unit }: Goal): string {
  if (measured === null) return missing ?? '-'
  return `${measured.toFixed(measured >= 100 ? 0 : 2)}${unit}`
}
