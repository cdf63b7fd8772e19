import { type Html, html } from '../../pages/html.js'

/** A bar as wide as its part of the whole. The figure stands beside it. */
export function bar(part: number, whole: number): Html {
  const percent = whole === 0 ? 0 : Math.min(100, (100 * part) / whole)
  return html`<svg class="bar" width="100%" height="10" aria-hidden="true"><rect class="rest" width="100%" height="10" rx="5"/>${
    part === 0 ? '' : html`<rect class="part" width="${percent.toFixed(2)}%" height="10" rx="5"/>`
  }</svg>`
}
