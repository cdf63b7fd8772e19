import type { ActivityPoint, ActivityStep } from '../../admin/activity.js'
import { grouped } from '../../cli/output/times.js'
import { type Html, html } from '../../pages/html.js'
import { utc } from './text.js'

/** The drawing is stretched to the width of the page; texts stand beside it. */
const WIDTH = 1000
const HEIGHT = 200
/** Points that a drawing has. Of more, it shows the highest of each group. */
const MAX_POINTS = 500

/** Draws counts over time as an area. */
export function chart(
  title: string,
  counted: 'users' | 'sessions',
  points: readonly ActivityPoint[],
  step: ActivityStep,
): Html {
  const counts = thinned(points.map((point) => point[counted]))
  const most = Math.max(...counts, 0)
  const top = niceAbove(most)
  const [first, middle, last] = [points[0], points[Math.floor(points.length / 2)], points.at(-1)]
  const about = `${title} by ${step}: at most ${grouped(most)}`
  return html`<figure class="panel chart">
<figcaption><h2>${title}</h2></figcaption>
<div class="plot">
<div class="scale" aria-hidden="true"><span>${grouped(top)}</span><span>${grouped(top / 2)}</span><span>0</span></div>
<svg viewBox="0 0 ${String(WIDTH)} ${String(HEIGHT)}" preserveAspectRatio="none" role="img" aria-label="${about}">
<path class="grid" d="M0 1H${String(WIDTH)}M0 ${String(HEIGHT / 2)}H${String(WIDTH)}M0 ${String(HEIGHT - 1)}H${String(WIDTH)}"/>
<path class="area" d="${areaOf(counts, top)}"/>
<path class="line" d="${lineOf(counts, top)}"/>
</svg>
<div class="times" aria-hidden="true">${[first, middle, last].map((point) => html`<span>${point === undefined ? '' : timeText(point.at, step)}</span>`)}</div>
</div>
</figure>`
}

function timeText(at: Date, step: ActivityStep): string {
  const text = utc(at)
  return step === 'day' ? text.slice(0, 10) : text.slice(5, 16)
}

function thinned(counts: readonly number[]): number[] {
  const size = Math.ceil(counts.length / MAX_POINTS)
  return Array.from({ length: Math.ceil(counts.length / size) }, (_, i) =>
    Math.max(...counts.slice(i * size, (i + 1) * size)),
  )
}

/** The end of the scale: 1, 2 or 5 with zeros, and even, so that its middle is a whole number. */
export function niceAbove(most: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, most))))
  const top = [1, 2, 4, 5, 10].map((factor) => factor * power).find((one) => one >= most) ?? most
  return Math.max(2, top)
}

function placesOf(counts: readonly number[], top: number): string[] {
  const step = counts.length > 1 ? WIDTH / (counts.length - 1) : WIDTH
  const all = counts.length > 1 ? counts : [...counts, ...counts]
  return all.map((count, i) => `${(i * step).toFixed(1)} ${(HEIGHT - 1 - (count / top) * (HEIGHT - 2)).toFixed(1)}`)
}

function lineOf(counts: readonly number[], top: number): string {
  return `M${placesOf(counts, top).join('L')}`
}

function areaOf(counts: readonly number[], top: number): string {
  return `M0 ${HEIGHT - 1}L${placesOf(counts, top).join('L')}L${WIDTH} ${HEIGHT - 1}Z`
}
