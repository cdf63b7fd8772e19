import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Looks through the pages of a built site for what VitePress does not notice: links of the navigation and anchors that lead
 * nowhere, pages that the sidebar does not name, and anything that the browser would load from another site.
 *
 * @param {string} directory of the built site
 * @returns {string[]} problems, a line each
 */
export function checkSite(directory) {
  const names = readdirSync(directory).filter((name) => name.endsWith('.html'))
  const pages = new Map(names.map((name) => [name, readFileSync(join(directory, name), 'utf8')]))
  const found = [...pages].flatMap(([name, html]) => [
    ...deadLinks(name, html, pages),
    ...loadedFromElsewhere(name, html),
  ])
  return [...found, ...notInSidebar(pages), ...fontsFromElsewhere(join(directory, 'assets'))]
}

/** @typedef {Map<string, string>} Pages from the name of a page to its HTML */

/**
 * VitePress looks at links in the text of pages. These are all, also those of the navigation and of the home page.
 *
 * @param {string} name
 * @param {string} html
 * @param {Pages} pages
 */
function* deadLinks(name, html, pages) {
  for (const [, path = '', anchor] of html.matchAll(/<a\b[^>]*\shref="([^":#]*)(?:#([^"]*))?"/g)) {
    const target = path === '' ? name : path.replace(/.*\//, '') || 'index.html'
    const found = pages.get(target)
    const isDead = anchor ? !found?.includes(` id="${decodeURIComponent(anchor)}"`) : found === undefined
    if (isDead) yield `${name}: dead link to ${path}${anchor ? `#${anchor}` : ''}`
  }
}

/**
 * @param {string} name
 * @param {string} html
 */
function* loadedFromElsewhere(name, html) {
  for (const [tag] of html.matchAll(
    /<(?:script|link|img|iframe|source)\b[^>]*\s(?:src|href|srcset)="(?:https?:)?\/\/[^>]*>/g,
  )) {
    yield `${name}: loads from another site: ${tag}`
  }
}

/** @param {Pages} pages */
function notInSidebar(pages) {
  const [, sidebar = ''] = pages.get('start.html')?.split('class="VPSidebar"') ?? []
  const names = [...pages.keys()].filter((name) => name !== 'index.html' && name !== '404.html')
  const missing = names.filter((name) => !sidebar.includes(`/${name}"`))
  return missing.map((name) => `${name}: not in site/.vitepress/sidebar.mjs`)
}

/** @param {string} assets */
function fontsFromElsewhere(assets) {
  const styles = readdirSync(assets).filter((name) => name.endsWith('.css'))
  const elsewhere = styles.filter((name) =>
    /url\(\s*["']?(?:https?:)?\/\//.test(readFileSync(join(assets, name), 'utf8')),
  )
  return elsewhere.map((name) => `${name}: loads from another site`)
}
