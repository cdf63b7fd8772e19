import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path/posix'

/**
 * @typedef {object} Place
 * @property {string} root of the repository, with a slash at the end
 * @property {string} github address of the repository
 * @property {Record<string, string>} rewrites from the path of a page in the repository to its path on the site
 * @property {Map<string, string>} titles from the address of a page on the site to what the site calls it
 */

/**
 * Renders pages that are written for GitHub. They contain nothing for this site.
 *
 * @param {import('markdown-it').default} md
 * @param {Place} place
 */
export function asOnGitHub(md, place) {
  md.core.ruler.push('as-on-github', ({ tokens, env }) => {
    const page = relative(place.root, env.realPath ?? env.path)
    for (const [index, token] of tokens.entries()) {
      if (token.type === 'html_block') token.content = pictures(token.content, page)
      if (token.type !== 'inline') continue
      if (token.content.startsWith('[![')) dropParagraph(tokens, index)
      if (tokens[index - 2]?.type === 'list_item_open') drawBox(token)
      lead(token.children ?? [], page, place)
    }
  })
}

/**
 * Makes links lead to pages of this site. Links that GitHub shows as the name of a file get the title of the page: nobody
 * sees files here.
 *
 * @param {import('markdown-it').Token[]} tokens
 * @param {string} page
 * @param {Place} place
 */
function lead(tokens, page, place) {
  for (const [index, token] of tokens.entries()) {
    if (token.type !== 'link_open') continue
    const address = onSite(token.attrGet('href') ?? '', page, place)
    token.attrSet('href', address)
    const text = tokens[index + 1]
    const title = place.titles.get(address.split('#')[0] ?? '')
    if (title && text && /^[\w-]+\.md$/.test(text.content)) text.content = title
  }
}

/**
 * The address on this site of what a link leads to: a page of the site, or a file on GitHub. A link to nothing stays,
 * and VitePress fails.
 *
 * @param {string} href
 * @param {string} page path of the page in the repository
 * @param {Place} place
 */
function onSite(href, page, { root, github, rewrites }) {
  const blob = `${github}/blob/main/`
  const isOfRepository = href.startsWith(blob)
  if (!isOfRepository && /^([a-z]+:|#|\/)/.test(href)) return href
  const [path = '', anchor] = href.split('#')
  const file = isOfRepository ? path.slice(blob.length) : join(dirname(page), path)
  const hash = anchor === undefined ? '' : `#${anchor}`
  const address = rewrites[file] ?? (/^docs\/[^/]+\.md$/.test(file) ? file.slice('docs/'.length) : undefined)
  if (address !== undefined) return `/${address}${hash}`
  return existsSync(root + file) ? `${blob}${file}${hash}` : href
}

/**
 * Makes two images of a `<picture>` with a dark and a light source. The browser chooses a source by the settings of the
 * system, and visitors of the site can choose otherwise.
 *
 * @param {string} html
 * @param {string} page
 */
function pictures(html, page) {
  return html.replace(
    /<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*<img alt="([^"]*)" src="([^"]+)">\s*<\/picture>/g,
    (_, dark, alt, light) => {
      const image = (/** @type {string} */ src, /** @type {string} */ theme) =>
        `<img class="chart only-${theme}" alt="${alt}" src="/${join(dirname(page), src)}">`
      return image(light, 'light') + image(dark, 'dark')
    },
  )
}

/**
 * Drops a line of badges: their images would tell another site who reads this one.
 *
 * @param {import('markdown-it').Token[]} tokens
 * @param {number} index of the content of the paragraph
 */
function dropParagraph(tokens, index) {
  for (const token of tokens.slice(index - 1, index + 2)) token.hidden = true
  Object.assign(tokens[index] ?? {}, { content: '', children: [] })
}

/** @param {import('markdown-it').Token} inline content of an item of a list: `[ ]` is a box on GitHub */
function drawBox({ children }) {
  const first = children?.[0]
  if (first?.type === 'text') first.content = first.content.replace(/^\[ \] /, '☐ ')
}

/** @param {string} heading the anchor that GitHub gives to a heading */
export const githubAnchor = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
