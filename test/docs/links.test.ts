import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { anchorsOf, linksOf } from '../support/links.js'

const PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...markdownIn('docs')]
const links = PAGES.flatMap(linksOf)
const { files } = JSON.parse(readFileSync('package.json', 'utf8')) as { files: string[] }
/** npm packs these whatever `files` says. */
const ALWAYS = ['README.md', 'LICENSE', 'package.json']

function markdownIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name))
}

const isPacked = (path: string) => [...ALWAYS, ...files].some((entry) => path === entry || path.startsWith(`${entry}/`))

/** Lines for a person who has to mend them. */
const named = (found: typeof links) => found.map(({ page, target }) => `${page}: ${target}`)

test('the pages have links, also absolute ones to the repository, images, and some with an anchor', () => {
  expect(links.filter(({ isAbsolute }) => isAbsolute).length).toBeGreaterThan(100)
  expect(links.filter(({ anchor }) => anchor).length).toBeGreaterThan(50)
  expect(links.some(({ target }) => target.endsWith('.svg'))).toBe(true)
})

test('every link to a file leads to one', () => {
  expect(named(links.filter(({ path }) => path !== undefined && !existsSync(path)))).toEqual([])
})

test('every anchor is that of a heading', () => {
  const pages = links.filter(({ path, anchor }) => anchor !== undefined && path?.endsWith('.md') && existsSync(path))
  const isDead = ({ path, anchor }: (typeof links)[number]) => !anchorsOf(path as string).has(anchor as string)
  expect(named(pages.filter(isDead))).toEqual([])
})

test('no link of a packed page leads out of the package: it is absolute, or to another packed file', () => {
  const leading = links.filter(({ page, path, isAbsolute }) => isPacked(page) && path !== undefined && !isAbsolute)
  expect(named(leading.filter(({ path }) => !isPacked(path as string)))).toEqual([])
})

test('every page is linked from the index of the pages, or is the index', () => {
  const indexed = new Set(linksOf('docs/index.md').map(({ path }) => path))
  expect(markdownIn('docs').filter((page) => page !== 'docs/index.md' && !indexed.has(page))).toEqual([])
})

test('no page is empty', () => {
  for (const page of PAGES) expect([page, statSync(page).size > 200]).toEqual([page, true])
})
