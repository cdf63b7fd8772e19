// Does what the pages use of curl, for machines that have none: one host, no redirects. It refuses every option it does
// not know.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { parseArgs } from 'node:util'

/** A line of Netscape's cookie file, as curl writes it. */
const COOKIE_LINE = /^(?:#HttpOnly_)?[^\t#]+\tFALSE\t\/\t(?:TRUE|FALSE)\t\d+\t([^\t]+)\t(.*)$/

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    silent: { type: 'boolean', short: 's' },
    include: { type: 'boolean', short: 'i' },
    cookie: { type: 'string', short: 'b' },
    'cookie-jar': { type: 'string', short: 'c' },
    request: { type: 'string', short: 'X' },
    header: { type: 'string', short: 'H', multiple: true },
    data: { type: 'string', short: 'd', multiple: true },
    output: { type: 'string', short: 'o' },
    'write-out': { type: 'string', short: 'w' },
  },
})
const [address = '', ...others] = positionals
if (others.length > 0) throw new Error('one URL only')
const url = new URL(address.includes('://') ? address : `http://${address}`)
const cookies = new Map(cookiesIn(values.cookie ?? ''))
const body = values.data?.join('&')
const response = await send()
const chunks = []
for await (const chunk of response) chunks.push(chunk)
const jar = values['cookie-jar']
if (jar !== undefined) writeJar(jar, response.headers['set-cookie'] ?? [])
const shown = Buffer.concat([Buffer.from(values.include ? headOf(response) : ''), ...chunks])
if (values.output === undefined) process.stdout.write(shown)
else if (values.output !== '/dev/null') writeFileSync(values.output, shown)
if (values['write-out'] !== undefined) process.stdout.write(filledIn(values['write-out'], response))

function send() {
  const headers = { Accept: '*/*', 'User-Agent': 'curl' }
  if (body !== undefined) headers['Content-Type'] = 'application/x-www-form-urlencoded'
  if (cookies.size > 0) headers.Cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
  for (const line of values.header ?? []) {
    const [name, value] = line.split(/:\s*(.*)/)
    headers[name] = value
  }
  const method = values.request ?? (body === undefined ? 'GET' : 'POST')
  return new Promise((resolve, reject) => {
    request(url, { method, headers }, resolve).once('error', reject).end(body)
  })
}

/** As curl does: what has a `=` are cookies, anything else names a file of them. */
function cookiesIn(text) {
  if (text.includes('=')) return text.split(/;\s*/).map((pair) => pair.split(/=(.*)/s, 2))
  return existsSync(text) ? readJar(text) : []
}

function readJar(file) {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.map((line) => COOKIE_LINE.exec(line)?.slice(1)).filter((pair) => pair !== undefined)
}

function writeJar(file, setCookies) {
  for (const line of setCookies) {
    const [, name, value, attributes] = /^([^=]+)=([^;]*)(.*)$/.exec(line)
    if (/expires=Thu, 01 Jan 1970|max-age=0/i.test(attributes)) cookies.delete(name)
    else cookies.set(name, value)
  }
  const lines = [...cookies].map((pair) => ['#HttpOnly_localhost', 'FALSE', '/', 'FALSE', '0', ...pair].join('\t'))
  writeFileSync(file, ['# Netscape HTTP Cookie File', '', ...lines, ''].join('\n'))
}

function headOf({ httpVersion, statusCode, statusMessage, rawHeaders }) {
  const headers = rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`))
  return [`HTTP/${httpVersion} ${statusCode} ${statusMessage}\r\n`, ...headers, '\r\n'].join('')
}

function filledIn(format, { statusCode }) {
  return format.replace(/%\{(\w+)\}|\\n/g, (what, name) => {
    if (what === '\\n') return '\n'
    if (name === 'http_code') return String(statusCode)
    throw new Error(`${what} is not known`)
  })
}
