import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileOf } from '../support/links.js'

const PAGE = join('docs', 'security.md')

/** The claims that the page has to prove, one row each. A number stands for its requirement for good. */
const ROWS = [
  ...['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '15', '16', '17-19', '20', '21', '22', '23'],
  ...['25', '26', '27', '28-29', '30', '31', '32', '33', '34', '35', '36', '37', '39', '40', '41', '43', '44', '45'],
  ...['46', '47', '48', '49', '50', '52', '53', '54'],
]

interface Row {
  number: string
  proofs: Proof[]
  cells: string[]
}

/** A linked test file, and the titles quoted after it. */
interface Proof {
  path: string
  titles: string[]
}

const page = readFileSync(PAGE, 'utf8')
const rows = page
  .split('\n')
  .filter((line) => /^\| *\d/.test(line))
  .map(rowOf)

function rowOf(line: string): Row {
  // A title may hold a pipe, written as Markdown wants it.
  const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))
  const [, number = '', , , proof = ''] = cells
  return { number, cells: cells.slice(1, -1), proofs: proof.split(/(?=\[)/).flatMap(proofOf) }
}

function proofOf(text: string): Proof[] {
  const link = /^\[[^\]]+\]\(([^)]+)\)/.exec(text)
  if (link === null) return []
  // A title that holds a backtick stands between two of them.
  const titles = [...text.slice(link[0].length).matchAll(/(?<!`)(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)/g)]
  return [
    { path: String(fileOf(PAGE, link[1] as string)), titles: titles.map(([, , title]) => (title as string).trim()) },
  ]
}

/** Every string that is the title of a test or of a group of tests, as the source has it. */
function titlesIn(path: string): Set<string> {
  const source = readFileSync(path, 'utf8')
  const strings = source.matchAll(/(?<=\(\s*)(['"`])((?:\\.|(?!\1)[^\\\n])*)\1,\s*(?:async\s*)?(?:\(|\w+ =>)/g)
  return new Set([...strings].map(([, , title]) => (title as string).replaceAll(/\\(['"`])/g, '$1')))
}

test('the table has every requirement, once and in order', () => {
  expect(rows.map(({ number }) => number)).toEqual(ROWS)
})

test.each(rows)('row $number links to a test, and quotes titles that are in it', ({ number, cells, proofs }) => {
  expect([number, cells.length, cells.every(Boolean)]).toEqual([number, 4, true])
  expect([number, proofs.length > 0]).toEqual([number, true])
  for (const { path, titles } of proofs) {
    expect(path).toMatch(/^test\/.+\.test\.ts$/)
    expect([path, existsSync(path)]).toEqual([path, true])
    expect([path, titles.length > 0]).toEqual([path, true])
    const present = titlesIn(path)
    expect([path, titles.filter((title) => !present.has(title))]).toEqual([path, []])
  }
})

test('no linked file leaves a test out', () => {
  const paths = new Set(rows.flatMap(({ proofs }) => proofs.map(({ path }) => path)))
  for (const path of paths) {
    if (!existsSync(path)) continue
    expect([path, /\b(?:test|it|describe)\.(?:skip|only|todo|failing)\b[.(]/.test(readFileSync(path, 'utf8'))]).toEqual(
      [path, false],
    )
  }
})
