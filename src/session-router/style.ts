import { THEME } from '../pages/theme.js'

/** Style sheet of the list. It is a resource of its own, because strict content security policies forbid inline styles. */
export const STYLE = `${THEME}main {
  max-width: 42rem;
  margin: 0 auto;
  padding: clamp(1.25rem, 5vw, 3.5rem) 1rem;
}
.back { margin-bottom: 1rem; }
.back a { display: inline-block; padding: 0.25rem 0; text-decoration: none; }
.back a:hover { text-decoration: underline; }
.lead { margin: 0.5rem 0 1.5rem; color: var(--soft); }
.notice { margin-bottom: 1.25rem; padding: 0.75rem 1.25rem; border-radius: 0.9rem; background: var(--tint); }
.devices {
  margin: 0;
  padding: 0;
  list-style: none;
  border: 1px solid var(--line);
  border-radius: 0.9rem;
  background: var(--panel);
  overflow: hidden;
}
.device {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  justify-content: space-between;
  gap: 0.75rem 1.25rem;
  padding: 1rem 1.25rem;
}
.device + .device { border-top: 1px solid var(--line); }
.about { flex: 1 1 15rem; min-width: 0; }
.about p { color: var(--soft); font-size: 0.92rem; }
.name { margin-inline-start: 0.4rem; font: 0.8rem ui-monospace, monospace; white-space: nowrap; }
.strong { border-color: var(--danger); color: var(--danger); }
.others, .alone, .more { margin-top: 1.25rem; }
.alone, .more { color: var(--soft); }
@media (max-width: 30rem) {
  .device form, .device button, .others button { width: 100%; }
}
`
