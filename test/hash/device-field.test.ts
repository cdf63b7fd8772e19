import { challengeText, parseDeviceBinding } from '../../src/hash/device-field.js'
import { newSecret } from '../../src/hash/renewal-field.js'

const secret = newSecret()
const NOW = 1_900_000_000_000

test('the field is read as what it stands for', () => {
  const since = NOW.toString(36)
  expect(parseDeviceBinding(`${secret} ${since} u`)).toEqual({ secret, sinceMs: NOW, isConfirmed: false })
  expect(parseDeviceBinding(`${secret} ${since} c`)).toEqual({ secret, sinceMs: NOW, isConfirmed: true })
})

test.each([[undefined], [''], [secret], [`${secret} 1`], [`${secret} 1 x`], [`${secret}x 1 c`], [`${secret} 1 c `]])(
  '%p is no binding',
  (text) => {
    expect(parseDeviceBinding(text)).toBeNull()
  },
)

test('every field stays under 64 bytes', () => {
  expect(challengeText(newSecret(), NOW).length).toBeLessThan(64)
  expect(`${secret} ${NOW.toString(36)} c`.length).toBeLessThan(64)
})
