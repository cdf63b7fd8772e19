import { checkHeader, InvalidToken, logoutToken } from '../../src/openid-connect/logout-token.js'

const NOW = 1_800_000_000
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const expected = { issuer: 'https://id.test', audiences: ['shop', 'shop-app'] }
const claims = {
  iss: 'https://id.test',
  aud: 'shop',
  iat: NOW,
  exp: NOW + 120,
  jti: 'one',
  events: { [EVENT]: {} },
  sid: 'session',
  sub: 'user',
}
const read = (changes: object) => logoutToken({ ...claims, ...changes }, expected, NOW * 1000)

test('a logout token says whom it means, and until when it may be used', () => {
  expect(read({})).toEqual({ id: 'one', sid: 'session', sub: 'user', usableUntilMs: (NOW + 180) * 1000 })
  expect(read({ exp: NOW + 1_000_000 }).usableUntilMs).toBe((NOW + 3660) * 1000)
})

test.each([
  { sid: undefined },
  { sub: undefined },
  { aud: ['other', 'shop-app'] },
  { iat: NOW + 60 },
  { iat: NOW - 3600, exp: NOW + 1 },
  { exp: NOW - 59 },
  { events: { [EVENT]: {}, other: 1 } },
  { extra: 'claim' },
])('a token with %j is one', (changes) => {
  expect(read(changes).id).toBe('one')
})

test.each([
  { iss: 'https://id.test/' },
  { iss: undefined },
  { iss: ['https://id.test'] },
  { aud: 'other' },
  { aud: undefined },
  { aud: ['other'] },
  { aud: [] },
  { aud: { shop: 1 } },
  { iat: undefined },
  { iat: String(NOW) },
  { iat: NOW + 61 },
  { iat: Number.NaN },
  { iat: NOW - 3661 },
  { exp: undefined },
  { exp: NOW - 60 },
  { exp: String(NOW + 120) },
  { jti: undefined },
  { jti: '' },
  { jti: 1 },
  { nonce: 'n' },
  { nonce: null },
  { events: undefined },
  { events: null },
  { events: [EVENT] },
  { events: { other: {} } },
  { events: { [EVENT]: null } },
  { events: { [EVENT]: true } },
  { events: { [EVENT]: [] } },
  { events: JSON.stringify({ [EVENT]: {} }) },
  { events: Object.create({ [EVENT]: {} }) },
  { sid: undefined, sub: undefined },
  { sid: 1 },
  { sid: '' },
  { sub: { a: 1 } },
  { sid: null },
])('a token with %j is none', (changes) => {
  expect(() => read(changes)).toThrow(InvalidToken)
})

test.each([null, undefined, true, 'claims', 1])('%j are no claims', (value) => {
  expect(() => logoutToken(value, expected, NOW * 1000)).toThrow(InvalidToken)
})

const head = (header: unknown) => `${Buffer.from(JSON.stringify(header)).toString('base64url')}.e30.c2ln`

test.each([{}, { typ: 'logout+jwt' }, { typ: 'JWT' }, { typ: 'application/logout+jwt' }, { typ: 'Logout+JWT' }])(
  'a header with %j passes',
  (header) => {
    expect(() => checkHeader(head({ alg: 'RS256', ...header }))).not.toThrow()
  },
)

test.each([
  { alg: 'none' },
  { alg: 'NONE' },
  { alg: undefined },
  { alg: 1 },
  { typ: 'at+jwt' },
  { typ: 'secevent+jwt' },
  { typ: null },
  { typ: ['logout+jwt'] },
])('a header with %j does not', (header) => {
  expect(() => checkHeader(head({ alg: 'RS256', ...header }))).toThrow(InvalidToken)
})

test.each(['', '.', 'x', 'e30', 'bnVsbA.e30.', '%%%.e30.x'])('%j is no token', (token) => {
  expect(() => checkHeader(token)).toThrow(InvalidToken)
})
