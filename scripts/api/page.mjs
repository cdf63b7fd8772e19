import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../run.mjs'
import { GROUPS } from './groups.mjs'

const HEAD = `# API

Every export of the package, with its options, methods, events and codes. \`npm run api\` writes this page from the comments of
the source, which editors show, too. A \`?\` marks what you may leave out. Times are in seconds, unless the text says milliseconds.
If a function returns a promise, "Returns" says what the promise resolves to, and "Throws" says what it rejects with.
`

/**
 * @param {import('./read-exports.mjs').Export[]} exports
 * @returns {string} the text of docs/api.md
 * @throws Error that names an export without a section, or a name that is no export
 */
export function apiPage(exports) {
  const left = new Map(exports.map((one) => [one.name, one]))
  const take = (name) => {
    const one = left.get(name)
    if (one === undefined) throw new Error(`scripts/api/groups.mjs lists ${name}, which is not exported`)
    left.delete(name)
    return one
  }
  const sections = GROUPS.map(([title, guide, names]) => {
    const parts = names.map(take).map(entry)
    return [`## ${title}`, `More: [${guide.replace(/#.*/, '')}](${guide})`, ...parts].join('\n\n')
  })
  if (left.size > 0) throw new Error(`scripts/api/groups.mjs has no section for ${[...left.keys()].join(', ')}`)
  return `${[HEAD.trim(), contents(), ...sections, warnings()].join('\n\n')}\n`
}

const contents = () =>
  [...GROUPS.map(([title]) => title), 'Warnings'].map((title) => `[${title}](#${anchorOf(title)})`).join(' · ')
const anchorOf = (title) => title.toLowerCase().replaceAll(' ', '-')

/** @param {import('./read-exports.mjs').Export} one */
function entry(one) {
  const heading = GROUPS.some(([title]) => title === one.name) ? [] : [`### ${one.name}`]
  const call = one.signatures.length > 0 ? [one.signatures.map((signature) => `\`${signature}\``).join(', ')] : []
  const doc = one.doc === '' ? [] : [linked(one.doc)]
  return [...heading, ...call, ...doc, ...tablesOf(one)].join('\n\n')
}

function tablesOf(one) {
  if (one.name === 'SessionErrorCode') return [errorCodes(one.literals)]
  if (one.members.length > 0)
    return [table(one.members.map(({ name, doc, fields }) => [`\`${name}\``, payload(fields) + doc]))]
  if (one.literals.length > 0) return [one.literals.map((text) => `\`'${text}'\``).join(', ')]
  return one.text === '' ? [] : [`\`\`\`ts\n${one.text}\n\`\`\``]
}

const payload = (fields) => (fields.length === 0 ? '' : `\`{ ${fields.join(', ')} }\` `)

function table(rows) {
  return ['| | |', '|---|---|', ...rows.map((cells) => `| ${cells.map(cell).join(' | ')} |`)].join('\n')
}

const cell = (text) => linked(text).replaceAll('|', '\\|').replace(/\s+/g, ' ').trim()
const linked = (text) => text.replace(/\bdocs\/([a-z-]+\.md)/g, '[$1]($1)').replace(/\bWARNING\b/g, '**WARNING**')

function errorCodes(codes) {
  const source = readFileSync(join(root, 'src', 'errors.ts'), 'utf8')
  const status = (code) => new RegExp(`^ {2}${code}: (\\d+),`, 'm').exec(source)?.[1] ?? '500'
  return table(codes.map((code) => [`[\`${code}\`](errors.md#${code.toLowerCase()})`, status(code)]))
}

function warnings() {
  const source = readFileSync(join(root, 'src', 'warnings.ts'), 'utf8')
  const codes = [...source.matchAll(/^ {2}'([\w-]+)': (?:true|false),/gm)].map(([, code]) => `\`${code}\``)
  return `## Warnings\n\nCodes of the \`warning\` event, explained in [operations.md](operations.md#warnings): ${codes.join(', ')}.`
}
