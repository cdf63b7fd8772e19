import { printable } from '../output/printable.js'
import { nameOf } from './checks/server.js'
import type { Facts } from './facts.js'
import type { Finding, Level } from './finding.js'
import { countOf } from './judge.js'

const WORDS: Readonly<Record<Level, string>> = {
  problem: 'PROBLEM',
  warning: 'warning',
  unknown: 'unknown',
  note: 'note',
  ok: 'ok',
}
/** SGR codes of the terminal. */
const COLOURS: Readonly<Record<Level, number>> = { problem: 31, warning: 33, unknown: 35, note: 36, ok: 32 }
const WIDTH = 96
const INDENT = ' '.repeat(9)

export function asText(facts: Facts, findings: readonly Finding[], hasColours: boolean): string {
  const paint = (text: string, code: number) => (hasColours ? `\x1b[${code}m${text}\x1b[0m` : text)
  const lines = [printable(`${nameOf(facts)} at ${facts.target.address}, prefix ${facts.prefix}`), '']
  for (const { level, check, what, consequence, change } of findings) {
    const [first = '', ...rest] = wrapped(`${check}: ${what}`)
    lines.push(paint(WORDS[level].padEnd(INDENT.length), COLOURS[level]) + first, ...rest.map(indented))
    if (consequence !== undefined) lines.push(...wrapped(consequence).map(indented))
    // Commands stay on one line, so that they can be copied.
    for (const line of change ?? []) lines.push(paint(`${INDENT}-> ${printable(line)}`, 1))
  }
  lines.push('', summary(findings))
  if (findings.some(({ change }) => change?.some((line) => line.includes('CONFIG SET')))) {
    lines.push(
      'CONFIG SET lasts until Redis restarts. CONFIG REWRITE makes it last, where Redis has a configuration file.',
    )
  }
  return `${lines.join('\n')}\n`
}

export function asJson(facts: Facts, findings: readonly Finding[]): string {
  const { target, prefix, user } = facts
  const report = {
    server: nameOf(facts),
    address: target.address,
    user: user ?? null,
    prefix,
    problems: countOf(findings, 'problem'),
    warnings: countOf(findings, 'warning'),
    findings,
  }
  const lines = JSON.stringify(report, null, 2).split('\n')
  return `${lines.map(printable).join('\n')}\n`
}

function summary(findings: readonly Finding[]): string {
  const parts: [Level, string, string][] = [
    ['problem', 'problem', 'problems'],
    ['warning', 'warning', 'warnings'],
    ['unknown', 'thing that could not be looked at', 'things that could not be looked at'],
  ]
  const said = parts.flatMap(([level, one, many]) => {
    const count = countOf(findings, level)
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`]
  })
  return said.length === 0 ? 'Nothing to change.' : `${said.join(', ')}.`
}

const indented = (line: string) => INDENT + line

/** What servers say of themselves is in these texts, and a terminal may obey it. */
function wrapped(text: string): string[] {
  const lines: string[] = ['']
  for (const word of printable(text).split(' ')) {
    const line = lines.at(-1) as string
    if (line === '') lines[lines.length - 1] = word
    else if (line.length + 1 + word.length <= WIDTH - INDENT.length) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines
}
