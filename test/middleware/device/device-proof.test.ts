import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { deviceIdentifier, keyFrom, keyText } from '../../../src/middleware/device/device-key.js'
import { isSignedBy, readProof } from '../../../src/middleware/device/device-proof.js'
import { Device, encoded } from '../../support/device.js'

const device = new Device()
const key = keyText(device.jwk) as string
const verified = (jwt: string, by = key) => {
  const proof = readProof(jwt)
  return proof !== null && isSignedBy(proof, keyFrom(by) as KeyObject)
}

/** The example of the draft, section "DBSC Proof JWT Syntax". */
const OF_THE_DRAFT = {
  kty: 'EC',
  crv: 'P-256',
  x: '6_GB2voQ0qroMh6OlDFCFS_SJriQi1PTvvBOhGZ3bHI',
  y: 'IegOJULyE7SxH_Cd1KCER7lWBvGFHQ-h0xyjzUjEIWE',
}

test('a key is kept in 44 characters, and comes back as the same key', () => {
  for (const jwk of [device.jwk, OF_THE_DRAFT, ...Array.from({ length: 20 }, () => new Device().jwk)]) {
    const text = keyText(jwk) as string
    expect(text).toMatch(/^[\w-]{44}$/)
    expect(keyFrom(text)?.export({ format: 'jwk' })).toEqual(jwk)
  }
})

test.each<[string, unknown]>([
  ['no object', 'key'],
  ['null', null],
  ['another curve', generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })],
  ['an RSA key', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })],
  ['a point off the curve', { ...device.jwk, y: device.jwk.x }],
  ['a coordinate that is no text', { ...device.jwk, x: 1 }],
  ['a coordinate that is too short', { ...device.jwk, x: device.jwk.x.slice(1) }],
  ['zeros', { ...device.jwk, x: 'A'.repeat(43), y: 'A'.repeat(43) }],
])('%s is no key', (_what, jwk) => {
  expect(keyText(jwk)).toBeNull()
})

test.each([[''], ['A'.repeat(44)], ['x'], [key.slice(1)]])('a stored text %p that is no key gives none', (text) => {
  expect(keyFrom(text)).toBeNull()
})

test('two keys have two identifiers, which say nothing of the keys', () => {
  const other = keyText(new Device().jwk) as string
  expect(deviceIdentifier(key)).toMatch(/^[\w-]{22}$/)
  expect(deviceIdentifier(key)).not.toBe(deviceIdentifier(other))
  expect(key).not.toContain(deviceIdentifier(key))
})

test('a registration brings its key and challenge, and a refresh the challenge alone', () => {
  expect(readProof(device.registration('abc'))).toMatchObject({ challenge: 'abc', key })
  expect(readProof(device.proof('abc'))).toMatchObject({ challenge: 'abc', key: undefined })
  expect(verified(device.registration('abc'))).toBe(true)
  expect(verified(device.proof('abc'))).toBe(true)
})

test('members that nobody knows change nothing', () => {
  expect(verified(device.proof('abc', { kid: 'x' }, { iat: 1, aud: 'https://x.example', authorization: 'y' }))).toBe(
    true,
  )
})

test('a proof that another key has signed, or that was changed afterwards, is not verified', () => {
  expect(verified(new Device().proof('abc'))).toBe(false)
  const [head, , signature] = device.proof('abc').split('.')
  expect(verified(`${head}.${encoded({ jti: 'abd' })}.${signature}`)).toBe(false)
  expect(verified(`${head}.${encoded({ jti: 'abc' })}.${Buffer.alloc(64).toString('base64url')}`)).toBe(false)
})

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const rsaInput = `${encoded({ alg: 'RS256', typ: 'dbsc+jwt' })}.${encoded({ jti: 'abc' })}`
const hmacInput = `${encoded({ alg: 'HS256', typ: 'dbsc+jwt' })}.${encoded({ jti: 'abc' })}`
const hmacKey = createPublicKey({ key: device.jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' })
const good = device.proof('abc')

test.each([
  ['nothing', ''],
  ['two parts', good.split('.').slice(0, 2).join('.')],
  ['four parts', `${good}.x`],
  ['an empty signature', good.slice(0, good.lastIndexOf('.') + 1)],
  ['a DER signature', `${good.slice(0, good.lastIndexOf('.'))}.${Buffer.alloc(70).toString('base64url')}`],
  ['padding', `${good}=`],
  ['white space', ` ${good}`],
  ['a header that is no JSON', device.signed('xx', encoded({ jti: 'abc' }))],
  ['a header that is a list', device.signed(encoded([]), encoded({ jti: 'abc' }))],
  ['a body that is null', device.signed(encoded({ alg: 'ES256', typ: 'dbsc+jwt' }), encoded(null))],
  ['another type', device.proof('abc', { typ: 'JWT' })],
  ['no type', device.proof('abc', { typ: undefined })],
  ['the algorithm none', device.proof('abc', { alg: 'none' })],
  ['the algorithm none, unsigned', `${encoded({ alg: 'none', typ: 'dbsc+jwt' })}.${encoded({ jti: 'abc' })}.`],
  ['RS256', `${rsaInput}.${sign('sha256', Buffer.from(rsaInput), rsa.privateKey).toString('base64url')}`],
  [
    'HS256 with the public key as secret',
    `${hmacInput}.${createHmac('sha256', hmacKey).update(hmacInput).digest('base64url')}`,
  ],
  ['a list of algorithms', device.proof('abc', { alg: ['ES256'] })],
  ['an extension that has to be understood', device.proof('abc', { crit: ['exp'] })],
  ['no challenge', device.proof('abc', {}, { jti: undefined })],
  ['an empty challenge', device.proof('')],
  ['a challenge that is a number', device.proof('abc', {}, { jti: 1 })],
  ['a key that is none', device.registration('abc', { jwk: { kty: 'EC' } })],
  ['a key that is null', device.registration('abc', { jwk: null })],
  ['an RSA key', device.registration('abc', { jwk: rsa.publicKey.export({ format: 'jwk' }) })],
  ['an oversized proof', device.proof('abc', {}, { more: 'x'.repeat(2000) })],
])('%s is no proof', (_what, jwt) => {
  expect(readProof(jwt)).toBeNull()
})

test('a proof has one text: a signature with other unused bits is none', () => {
  const last = good.at(-1) as string
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const other = alphabet[alphabet.indexOf(last) ^ 1] as string
  expect(readProof(good.slice(0, -1) + other)).toBeNull()
})
