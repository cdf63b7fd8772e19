import { createHash, createHmac } from 'node:crypto'
import { handleOf } from '../../src/ids/handle.js'
import { idMapper } from '../../src/ids/id-mapper.js'

const SID = 'a-session-id-of-somebody'
const SHA256 = createHash('sha256').update(SID).digest('base64url')
const hmac = (secret: string) => createHmac('sha256', secret).update(SID).digest('base64url')

describe('the stored ids of an id', () => {
  test('without hashIds the id itself is stored', () => {
    expect(idMapper(false).candidates(SID)).toEqual([SID])
  })

  test('hashIds true stores the SHA-256 digest', () => {
    expect(idMapper(true).candidates(SID)).toEqual([SHA256])
  })

  test('a secret stores the HMAC under it', () => {
    expect(idMapper('current').candidates(SID)).toEqual([hmac('current')])
  })

  test('a list gives one stored id for each, the current one first', () => {
    expect(idMapper(['current', 'old', true]).candidates(SID)).toEqual([hmac('current'), hmac('old'), SHA256])
  })

  test('while plain ids are accepted, the id itself comes last', () => {
    expect(idMapper(['current'], true).candidates(SID)).toEqual([hmac('current'), SID])
  })

  test('an id that looks like a digest is never a stored id itself, so that a reader of Redis makes no cookie of a key', () => {
    const stored = hmac('current')
    expect(idMapper('current', true).candidates(stored)).not.toContain(stored)
    expect(idMapper('current', true).candidates(stored)).toHaveLength(1)
  })
})

describe('the handle of a stored id', () => {
  test('is 22 characters of base64url, and another one for each stored id', () => {
    const handles = ['a', 'b', SID, SHA256, ''].map(handleOf)
    for (const handle of handles) expect(handle).toMatch(/^[\w-]{22}$/)
    expect(new Set(handles).size).toBe(handles.length)
  })

  test('is no beginning of the digest of the id, with or without hashIds', () => {
    expect(SHA256.startsWith(handleOf(SID))).toBe(false)
    expect(createHash('sha256').update(SHA256).digest('base64url').startsWith(handleOf(SHA256))).toBe(false)
  })

  test('stays what it is: pages and logs of before name the same session', () => {
    expect(handleOf('abc')).toBe('Z_K6qFgOYyFByxPPljV4VA')
  })
})
