import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { sign } from 'cookie-signature'
import session from 'express-session'
import fc from 'fast-check'
import { sidIn } from '../../src/signed-cookie.js'

const NAME = 'connect.sid'
const SECRETS = ['keyboard cat', 'an older one']

type Parsed = { cookies?: Record<string, unknown>; signedCookies?: Record<string, unknown> }

function requestWith(header: string | undefined, parsed: Parsed = {}): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  req.url = '/'
  if (header !== undefined) req.headers.cookie = header
  return Object.assign(req, parsed)
}

let asked: string | undefined
class Asked extends session.MemoryStore {
  override get(sid: string): void {
    asked = sid
  }
}
const expressSession = session({
  store: new Asked(),
  secret: SECRETS,
  name: NAME,
  resave: false,
  saveUninitialized: false,
})

/** The id with which express-session itself goes to its store; undefined if it does not. */
function asExpressSession(header: string | undefined, parsed?: Parsed): string | undefined {
  asked = undefined
  const req = requestWith(header, parsed)
  expressSession(req as never, new ServerResponse(req) as never, () => undefined)
  return asked
}

const ids = fc.constantFrom('sid', 'a b', 'a;b', 'a"b', 'é', 'a%b', '%73id', '')
const signed = fc.tuple(ids, fc.constantFrom(...SECRETS, 'unknown'), fc.nat(9)).map(([id, secret, form]) => {
  const text = `s:${sign(id, secret)}`
  const forms = [text, text.slice(2), `${text}%`, text.slice(0, -1)]
  return forms[form] ?? encodeURIComponent(text)
})
const rarely = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, fc.constantFrom(...others))
const blank = rarely('', ' ', '\t', ' \t ', '\u00a0', '\u3000')
const quote = fc.constantFrom<[string, string]>(['', ''], ['', ''], ['"', '"'], ['"', ''], ['', '"'], ['""', '""'])
const value = fc.oneof(
  { weight: 4, arbitrary: signed },
  { weight: 1, arbitrary: fc.constantFrom('', '"', '""', '%', '%E0%A4%A', 's:', 's%3A', 'j:{"a":1}', '=') },
)
const name = fc.oneof({ weight: 4, arbitrary: fc.constant(NAME) }, fc.constantFrom('', 'x', 'Connect.sid', `"${NAME}"`))
const pair = fc
  .tuple(blank, name, blank, rarely('=', '', '=='), blank, quote, value, blank)
  .map(([a, n, b, eq, c, [open, close], v, d]) => `${a}${n}${b}${eq}${c}${open}${v}${close}${d}`)
const header = fc
  .tuple(fc.array(pair, { maxLength: 4 }), rarely('; ', ';', ';;', ' ; ', ','))
  .map(([pairs, between]) => pairs.join(between))

const RUNS = { numRuns: 3000 }

test('of any Cookie header, the same id is read as by express-session', () => {
  let found = 0
  fc.assert(
    fc.property(header, (text) => {
      const expected = asExpressSession(text)
      if (expected !== undefined) found += 1
      expect(sidIn(requestWith(text), NAME, SECRETS)).toBe(expected)
    }),
    RUNS,
  )
  expect(found).toBeGreaterThan(RUNS.numRuns / 30)
})

test('what cookie-parser has found counts where the header gives nothing, as with express-session', () => {
  const cookies = fc.option(fc.dictionary(fc.constantFrom(NAME, 'x'), value), { nil: undefined })
  const signedCookies = fc.option(
    fc.dictionary(fc.constantFrom(NAME, 'x'), fc.oneof(ids, fc.constant(false as unknown))),
    { nil: undefined },
  )
  fc.assert(
    fc.property(fc.option(header, { nil: undefined }), cookies, signedCookies, (text, plain, verified) => {
      const parsed = { ...(plain && { cookies: plain }), ...(verified && { signedCookies: verified }) }
      expect(sidIn(requestWith(text, parsed), NAME, SECRETS)).toBe(asExpressSession(text, parsed))
    }),
    RUNS,
  )
})

test('a header full of blanks takes no time to read', () => {
  // Not what the clock says: a busy machine may stand still meanwhile.
  const start = process.cpuUsage()
  for (let i = 0; i < 20; i++) sidIn(requestWith(`${NAME}=x${' '.repeat(16_000)}y`), NAME, SECRETS)
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(500)
})
