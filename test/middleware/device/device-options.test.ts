import { type BindDeviceOptions, checkedDeviceOptions } from '../../../src/middleware/device/device-options.js'

test('without options, a bound cookie lasts ten minutes, and ten seconds longer on its way', () => {
  expect(checkedDeviceOptions({})).toEqual({
    everyMs: 600_000,
    graceMs: 10_000,
    path: '/.well-known/device-session',
    name: '__Host-device',
    sameSite: 'lax',
    onUnbound: undefined,
  })
  expect(checkedDeviceOptions({ every: 4 }).graceMs).toBe(1000)
  expect(checkedDeviceOptions({ every: 4, grace: 0 }).graceMs).toBe(0)
})

test.each<[string, unknown]>([
  ['bindDevice takes an options object', null],
  ['bindDevice has no option "each"', { each: 5 }],
  ['"every" option', { every: 0 }],
  ['"every" option', { every: '600' }],
  ['"every" option', { every: Number.POSITIVE_INFINITY }],
  ['"grace" option', { grace: -1 }],
  ['"grace" option', { grace: Number.NaN }],
  ['"path" option', { path: 'device' }],
  ['"path" option', { path: '//evil.example/device' }],
  ['"path" option', { path: '/device?x' }],
  ['"path" option', { path: '/a"b' }],
  ['"onUnbound" option', { onUnbound: '/login' }],
  ['"cookie" option', { cookie: null }],
  ['"cookie" option of bindDevice has no "domain"', { cookie: { domain: 'x' } }],
  ['"cookie.name" option', { cookie: { name: 'device' } }],
  ['"cookie.name" option', { cookie: { name: '__Host-a=b' } }],
  ['"cookie.sameSite" option', { cookie: { sameSite: 'none' } }],
])('a mistake is named: %s', (text, options) => {
  const call = () => checkedDeviceOptions(options as BindDeviceOptions)
  expect(call).toThrow(TypeError)
  expect(call).toThrow(text)
})
