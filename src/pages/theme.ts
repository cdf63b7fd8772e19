/** What the style sheets of all pages have in common: colours, text, buttons. */
export const THEME = `:root {
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
h1, h2, p { margin: 0; }
h1 { font-size: clamp(1.6rem, 6vw, 2.1rem); line-height: 1.2; }
h2 { font-size: 1.05rem; overflow-wrap: anywhere; }
a { color: var(--accent); }
.badge {
  display: inline-block;
  margin-inline-start: 0.35rem;
  padding: 0.05rem 0.6rem;
  border-radius: 1rem;
  background: var(--tint);
  color: var(--accent);
  font-size: 0.8rem;
  vertical-align: 0.08em;
}
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
`
