import { boundValue, issuedAtMs, setBoundCookie } from '../../../src/middleware/device/bound-cookie.js'
import { checkedDeviceOptions } from '../../../src/middleware/device/device-options.js'

const secret = 'a'.repeat(22)

test('a bound cookie says when it was issued, to its own session', () => {
  const value = boundValue(secret, 1_700_000_000_123)
  expect(issuedAtMs(value, secret)).toBe(1_700_000_000_123)
  expect(issuedAtMs(value, 'b'.repeat(22))).toBeUndefined()
})

test.each([
  ['nothing', undefined],
  ['an empty value', ''],
  ['a later time under the same proof', boundValue(secret, 1_700_000_000_123).replace(/^./, 'z')],
  ['a proof alone', boundValue(secret, 1).split('.')[1]],
  ['a shorter proof', boundValue(secret, 1).slice(0, -1)],
  ['a time that no number holds', `${'z'.repeat(20)}.${'a'.repeat(22)}`],
])('%s is no bound cookie', (_what, value) => {
  expect(issuedAtMs(value, secret)).toBeUndefined()
})

test('it goes to this host alone, over TLS alone, and to no script', () => {
  const options = checkedDeviceOptions({ every: 5 })
  expect(setBoundCookie(options, 'x')).toBe('__Host-device=x; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=5')
  expect(setBoundCookie(options)).toBe('__Host-device=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0')
  const strict = checkedDeviceOptions({ cookie: { name: '__Host-key', sameSite: 'strict' } })
  expect(setBoundCookie(strict, 'x')).toBe('__Host-key=x; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=600')
})
