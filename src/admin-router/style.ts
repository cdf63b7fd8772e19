import { THEME } from '../pages/theme.js'

/** Style sheet of all pages of the router. */
export const STYLE = `${THEME}:root {
  --good: #1b6e3c;
  --warn: #8a5200;
}
@media (prefers-color-scheme: dark) {
  :root {
    --good: #7bd19b;
    --warn: #f0b765;
  }
}
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 0.5rem; z-index: 1; padding: 0.5rem 1rem; background: var(--panel); }
header {
  display: flex;
  align-items: center;
  justify-content: space-between;
  gap: 1rem;
  padding: 0 max(1rem, (100vw - 70rem) / 2);
  border-bottom: 1px solid var(--line);
  background: var(--panel);
}
header ul { display: flex; flex-wrap: wrap; margin: 0 0 0 -0.75rem; padding: 0; list-style: none; }
header a {
  display: block;
  padding: 0.8rem 0.75rem;
  border-bottom: 3px solid transparent;
  color: var(--soft);
  font-weight: 600;
  text-decoration: none;
}
header a:hover { color: var(--ink); }
header a[aria-current] { border-color: var(--accent); color: var(--ink); }
header .badge { white-space: nowrap; }
main { max-width: 72rem; margin: 0 auto; padding: clamp(1.25rem, 4vw, 2.5rem) 1rem 2rem; }
main:focus { outline: none; }
footer { max-width: 72rem; margin: 0 auto; padding: 0 1rem 2rem; font-size: 0.9rem; }
footer a { display: inline-block; padding: 0.25rem 0; }
h1 { overflow-wrap: anywhere; }
main > h2 { margin: 2rem 0 0.75rem; font-size: 1.2rem; }
.lead { margin: 0.4rem 0 1.5rem; color: var(--soft); max-width: 48rem; }
.lead time { white-space: nowrap; }
.soft { color: var(--soft); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.back { margin-bottom: 0.75rem; }
.back a { display: inline-block; padding: 0.25rem 0; text-decoration: none; }
.back a:hover { text-decoration: underline; }
.panel, .sessions, .figures, .empty {
  border: 1px solid var(--line);
  border-radius: 0.9rem;
  background: var(--panel);
}
.empty { padding: 1.5rem 1.25rem; color: var(--soft); }
.notice {
  margin: 0 0 1.25rem;
  padding: 0.75rem 1.25rem;
  border-radius: 0.9rem;
  background: var(--tint);
  color: var(--ink);
}
main > .feed + .notice { margin-top: 1.25rem; }
.handle, code { font-family: ui-monospace, monospace; font-size: 0.9em; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }

.button {
  display: inline-flex;
  align-items: center;
  justify-content: center;
  min-height: 2.75rem;
  padding: 0.4rem 1.1rem;
  border: 1px solid var(--line);
  border-radius: 0.6rem;
  background: var(--panel);
  color: var(--ink);
  font-weight: 600;
  text-decoration: none;
}
button { background: var(--panel); }
.button:hover { border-color: currentColor; }
.button[aria-current] { border-color: var(--accent); background: var(--tint); color: var(--accent); }
.strong { border-color: var(--danger); color: var(--danger); }
.actions form .strong { background: var(--danger); color: var(--panel); }
.actions { display: flex; flex-wrap: wrap; gap: 0.75rem; margin-top: 1.5rem; }
.choices { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-bottom: 1.25rem; }
.pager { display: flex; flex-wrap: wrap; align-items: center; gap: 1rem; margin-top: 1.25rem; color: var(--soft); }

.search { display: flex; flex-wrap: wrap; align-items: end; gap: 0.75rem; margin-bottom: 1.25rem; }
.search label { display: grid; gap: 0.2rem; color: var(--soft); font-size: 0.9rem; }
.search .wide { flex: 1 1 12rem; max-width: 24rem; }
input, select {
  width: 100%;
  min-height: 2.75rem;
  padding: 0.4rem 0.75rem;
  border: 1px solid var(--soft);
  border-radius: 0.6rem;
  background: var(--panel);
  color: var(--ink);
  font: inherit;
  font-size: 1rem;
}
input:focus-visible, select:focus-visible, summary:focus-visible {
  outline: 3px solid var(--accent);
  outline-offset: 2px;
}

table { width: 100%; border-collapse: separate; border-spacing: 0; text-align: left; }
th, td { padding: 0.7rem 1.25rem; vertical-align: top; }
thead th { color: var(--soft); font-size: 0.85rem; font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; overflow-wrap: anywhere; }
tbody tr > * { border-top: 1px solid var(--line); }
caption { padding: 0.5rem 1.25rem; color: var(--soft); text-align: left; font-size: 0.9rem; }
caption.hidden { padding: 0; }
.sessions td { white-space: nowrap; }
.sessions td:nth-child(-n + 2) { white-space: normal; }
@media (min-width: 62rem) { .sessions td:first-child { min-width: 16rem; } }
.sessions .main { font-weight: 600; text-decoration: none; }
.sessions .main:hover { text-decoration: underline; }
.under { display: flex; flex-wrap: wrap; align-items: center; gap: 0.1rem 0.6rem; }
.under .handle { color: var(--soft); }
.badge { white-space: nowrap; }
.under .badge { margin: 0; }
.figures { max-width: 48rem; }
.figures .value { width: 60%; overflow-wrap: anywhere; }
details .figures { max-width: none; border: 0; }
.chips { display: flex; flex-wrap: wrap; gap: 0.35rem; }
.chip {
  padding: 0.05rem 0.6rem;
  border: 1px solid var(--line);
  border-radius: 1rem;
  color: var(--ink);
  font-size: 0.9rem;
  text-decoration: none;
  overflow-wrap: anywhere;
}
.chip:hover { border-color: currentColor; }

.facts { max-width: 48rem; margin: 1.25rem 0 0; padding: 0.25rem 1.25rem; }
.facts div { display: grid; grid-template-columns: 9rem 1fr; gap: 0.25rem 1rem; padding: 0.7rem 0; }
.facts div + div { border-top: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 1rem; margin: 0 0 1.5rem; }
.tiles .panel { display: flex; flex-direction: column; justify-content: space-between; padding: 1rem 1.25rem; }
.tiles dt { font-size: 0.9rem; }
.tiles dd { font-size: 1.6rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
.columns .panel { padding: 1rem 1.25rem 0.5rem; }
.bars { display: grid; grid-template-columns: 1fr minmax(2rem, auto); column-gap: 0.75rem; margin: 0.5rem 0 0; }
.bars div, .bars dd { display: grid; grid-template-columns: 1fr 4.5rem; grid-template-columns: subgrid; grid-column: 1 / -1; }
.bars div { padding: 0.4rem 0; }
.bars dt { grid-column: 1 / -1; font-size: 0.9rem; }
.bars dd { align-items: center; }
svg { display: block; }
.bar .rest { fill: var(--line); }
.bar .part { fill: var(--accent); }

.chart { margin: 0 0 1rem; padding: 1rem 1.25rem; }
.plot { display: grid; grid-template-columns: auto 1fr; gap: 0.6rem 0.75rem; margin-top: 0.75rem; }
.plot svg { width: 100%; height: 11rem; }
.scale { display: flex; min-width: 3.5ch; flex-direction: column; justify-content: space-between; text-align: right; }
.scale, .times { color: var(--soft); font-size: 0.85rem; line-height: 1; font-variant-numeric: tabular-nums; }
.times { grid-column: 2; display: flex; justify-content: space-between; }
.grid { fill: none; stroke: var(--line); vector-effect: non-scaling-stroke; }
.area { fill: var(--accent); opacity: 0.18; }
.line { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
summary { padding: 0.8rem 1.25rem; border-radius: 0.9rem; font-weight: 600; cursor: pointer; }

.feed { display: flex; flex-direction: column-reverse; margin: 0; padding: 0; list-style: none; overflow: hidden; }
.feed:empty::before { content: 'Nothing yet.'; padding: 1rem 1.25rem; color: var(--soft); }
.feed li { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1rem; padding: 0.5rem 1.25rem; border-top: 1px solid var(--line); }
.feed li:last-child { border-top: 0; }
.feed time { color: var(--soft); font-variant-numeric: tabular-nums; }
.what { min-width: 5rem; font-weight: 600; }
.what.created { color: var(--good); }
.what.ended { color: var(--danger); }

.counters { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 0 2.5rem; margin: 0; padding: 0.5rem 1.25rem; }
.counters div { display: flex; justify-content: space-between; padding: 0.35rem 0; }

.findings { margin: 0; padding: 0; list-style: none; }
.findings > li { display: grid; grid-template-columns: 6rem 1fr; gap: 0.25rem 1rem; padding: 0.9rem 1.25rem; }
.findings > li + li { border-top: 1px solid var(--line); }
.findings h3 { margin: 0; font-size: 1rem; }
.findings p { color: var(--soft); overflow-wrap: anywhere; }
.level { font-weight: 600; color: var(--soft); }
.level.problem { color: var(--danger); }
.level.warning { color: var(--warn); }
.level.ok { color: var(--good); }
.change { margin: 0.35rem 0 0; padding-left: 1.1rem; list-style: disc; overflow-wrap: anywhere; }

@media (max-width: 44rem) {
  header { flex-wrap: wrap; gap: 0; padding: 0 1rem; }
  header ul { margin-left: -0.45rem; }
  header a { padding: 0.75rem 0.45rem; font-size: 0.95rem; }
  header .badge { margin: 0.4rem 0 0.5rem; }
  th, td { padding: 0.7rem 1rem; }
  .sessions thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .sessions, .sessions tbody { display: block; }
  .sessions tr { display: grid; padding: 0.9rem 1rem; gap: 0.25rem; }
  .sessions tr + tr { border-top: 1px solid var(--line); }
  .sessions td { display: grid; grid-template-columns: 6.5rem 1fr; gap: 0.5rem; padding: 0; border: 0; white-space: normal; }
  .sessions td:first-child { display: block; margin-bottom: 0.25rem; }
  .sessions td::before { content: attr(data-title); color: var(--soft); }
  .sessions td:first-child::before { content: none; }
  .sessions .chip { font-size: 0.85rem; }
  .facts div { grid-template-columns: 1fr; }
  .findings > li { grid-template-columns: 1fr; }
  .search { display: grid; grid-template-columns: repeat(6, 1fr); }
  .search label { grid-column: span 2; }
  .search .wide { grid-column: span 4; max-width: none; }
  .search:has(input[type]) label { grid-column: 1 / -1; }
  .search button { grid-column: 1 / -1; }
  .search button:not(:last-child), .search button + .button { grid-column: span 3; }
  .choices .button { flex: 1 1 auto; padding-inline: 0.5rem; }
  .tiles > :last-child:nth-child(odd) { grid-column: 1 / -1; }
  .actions > *, .actions button { width: 100%; }
  .figures th, .figures td { padding: 0.7rem 0.6rem; }
  .figures tr > :first-child { padding-left: 1.25rem; }
  .figures tr > :last-child { padding-right: 1.25rem; }
  .figures tbody th { min-width: 7rem; }
  .figures .value { width: auto; }
}
`
