import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { examplesOf } from '../support/markdown.js'

/** `npm run test:foreign` runs the programs; this test sees that the page names them all, and no others. */
const PAGE = 'docs/hosts.md'
const FOREIGN = 'test/foreign'
const page = readFileSync(PAGE, 'utf8')

const sources = ['hosts', 'support'].flatMap((folder) =>
  readdirSync(join(FOREIGN, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.mjs'))
    .map((path) => join(FOREIGN, folder, path)),
)

test('every framework of the page links the program that tries it, and every program is linked or named', () => {
  const linked = [...page.matchAll(/\]\((\.\.\/test\/[^)]+)\)/g)].map(([, path = '']) => normalize(join('docs', path)))
  for (const path of linked) expect([path, existsSync(path)]).toEqual([path, true])
  const programs = readdirSync(join(FOREIGN, 'hosts')).map((entry) => join(FOREIGN, 'hosts', entry))
  const isLinked = (program: string) => linked.some((path) => path === program || path === join(program, 'main.mjs'))
  const others = programs.filter((program) => !isLinked(program))
  // Its example is on the page.
  expect(others).toEqual([join(FOREIGN, 'hosts', 'csrf.mjs')])
})

test('every example of the page is run by a program', () => {
  const all = sources.map((path) => readFileSync(path, 'utf8')).join('')
  const names = examplesOf(PAGE).map(({ name }) => name)
  expect(names.length).toBeGreaterThan(4)
  for (const name of names) expect(all).toContain(`example('${name}'`)
})
