import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { linksOf } from '../support/links.js'
import { examplesOf } from '../support/markdown.js'

/** `npm run test:foreign` runs the programs; this test sees that the pages name them all, and no others. */
const PAGE = 'docs/hosts.md'
const RECIPES = 'docs/recipes.md'
const FOREIGN = 'test/foreign'

const sources = ['hosts', 'support'].flatMap((folder) =>
  readdirSync(join(FOREIGN, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.mjs'))
    .map((path) => join(FOREIGN, folder, path)),
)

test('every framework of the page links the program that tries it, and every program is linked or named', () => {
  const linked = linksOf(PAGE).flatMap(({ path }) => (path?.startsWith('test/') ? [path] : []))
  for (const path of linked) expect([path, existsSync(path)]).toEqual([path, true])
  const programs = readdirSync(join(FOREIGN, 'hosts')).map((entry) => join(FOREIGN, 'hosts', entry))
  const isLinked = (program: string) => linked.some((path) => path === program || path === join(program, 'main.mjs'))
  const others = programs.filter((program) => !isLinked(program))
  // Its example is on the page.
  expect(others).toEqual([join(FOREIGN, 'hosts', 'csrf.mjs')])
})

test('every example of a recipe is run by a program, or by a test of its own', () => {
  const all = sources.map((path) => readFileSync(path, 'utf8')).join('')
  const tested = ['passport', 'subdomains'] // test/docs/recipes.test.ts
  const names = examplesOf(RECIPES).flatMap(({ name }) => (tested.includes(name) ? [] : [name]))
  expect(names.length).toBeGreaterThan(4)
  for (const name of names) expect(all).toContain(`example('${name}'`)
})
