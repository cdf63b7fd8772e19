/** Style sheet of the list. It is a resource of its own, because strict content security policies forbid inline styles. */
export const STYLE = `:root {
  color-scheme: light dark;
  --paper: #f6f7f9;
  --panel: #fff;
  --ink: #1b2430;
  --soft: #566172;
  --line: #d9dee6;
  --accent: #1d5fd1;
  --tint: #e8f0fe;
  --danger: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161c;
    --panel: #1b2129;
    --ink: #e8ecf2;
    --soft: #a3adbb;
    --line: #333c48;
    --accent: #8ab4f8;
    --tint: #22324d;
    --danger: #f2938c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif;
}
main {
  max-width: 42rem;
  margin: 0 auto;
  padding: clamp(1.25rem, 5vw, 3.5rem) 1rem;
}
h1, h2, p { margin: 0; }
h1 { font-size: clamp(1.6rem, 6vw, 2.1rem); line-height: 1.2; }
h2 { font-size: 1.05rem; overflow-wrap: anywhere; }
a { color: var(--accent); }
.back { margin-bottom: 1rem; }
.back a { display: inline-block; padding: 0.25rem 0; text-decoration: none; }
.back a:hover { text-decoration: underline; }
.lead { margin: 0.5rem 0 1.5rem; color: var(--soft); }
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
.badge {
  display: inline-block;
  margin-left: 0.35rem;
  padding: 0.05rem 0.6rem;
  border-radius: 1rem;
  background: var(--tint);
  color: var(--accent);
  font-size: 0.8rem;
  vertical-align: 0.08em;
}
.name { margin-left: 0.4rem; font: 0.8rem ui-monospace, monospace; white-space: nowrap; }
button {
  min-height: 2.75rem;
  padding: 0.4rem 1.1rem;
  border: 1px solid var(--line);
  border-radius: 0.6rem;
  background: transparent;
  color: var(--ink);
  font: inherit;
  font-weight: 600;
  cursor: pointer;
}
button:hover { border-color: currentColor; }
a:focus-visible, button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 0.6rem; }
.strong { border-color: var(--danger); color: var(--danger); }
.others, .alone, .more { margin-top: 1.25rem; }
.alone, .more { color: var(--soft); }
@media (max-width: 30rem) {
  .device form, .device button, .others button { width: 100%; }
}
`
