import { createHmac } from 'node:crypto'
import type { Data, Subject } from './subject.js'

/** The secret for the variant of this suite that hashes ids. */
export const HASH_SECRET = 'secret'

const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

export function basics(subject: Subject): void {
  const listed = (sid: string) =>
    subject.is.listedIds === 'a digest' ? createHmac('sha256', HASH_SECRET).update(sid).digest('base64url') : sid

  /** The sessions of `all` by id. A store may return a list or an object. */
  async function allById(): Promise<Record<string, Data>> {
    const all = await subject.all()
    expect(Array.isArray(all)).toBe(subject.is.all === 'array with id')
    if (!Array.isArray(all)) return all
    return Object.fromEntries(all.map(({ id, ...data }) => [id, data]))
  }

  test('an unknown id has no session', async () => {
    expect(await subject.get('nobody')).toBe(subject.is.absent)
  })

  test('what was set is what get gives', async () => {
    await subject.set('a', { cookie, user: 'ann' })
    expect(await subject.get('a')).toStrictEqual({ cookie, user: 'ann' })
    expect(await subject.get('b')).toBe(subject.is.absent)
  })

  test('a second set replaces all of it', async () => {
    await subject.set('a', { cookie, user: 'ann', cart: [1] })
    await subject.set('a', { cookie, lang: 'de' })
    expect(await subject.get('a')).toStrictEqual({ cookie, lang: 'de' })
    expect(await subject.length()).toBe(1)
  })

  test('a session that was loaded, changed and set holds exactly the changes', async () => {
    await subject.set('a', { cookie, kept: 1, changed: 1, removed: 1 })
    const data = (await subject.get('a')) as Data
    data.changed = 2
    data.added = 1
    delete data.removed
    await subject.set('a', data)
    expect(await subject.get('a')).toStrictEqual({ cookie, kept: 1, changed: 2, added: 1 })
  })

  test('a change inside a nested value is saved', async () => {
    await subject.set('a', { cookie, cart: { items: [{ n: 1 }] } })
    const data = (await subject.get('a')) as Data & { cart: { items: { n: number }[] } }
    data.cart.items.push({ n: 2 })
    await subject.set('a', data)
    expect(await subject.get('a')).toMatchObject({ cart: { items: [{ n: 1 }, { n: 2 }] } })
  })

  test('changing a session that get gave does not change the store', async () => {
    await subject.set('a', { cookie, cart: { items: [1] } })
    const data = (await subject.get('a')) as Data & { cart: { items: number[] } }
    data.cart.items.push(2)
    data.user = 'mallory'
    data.cookie!.path = '/elsewhere'
    expect(await subject.get('a')).toStrictEqual({ cookie, cart: { items: [1] } })
  })

  test('changing data after set has called back does not change the store', async () => {
    const data = { cookie: { ...cookie }, cart: { items: [1] } }
    await subject.set('a', data)
    data.cart.items.push(2)
    expect(await subject.get('a')).toStrictEqual({ cookie, cart: { items: [1] } })
  })

  test('changing data while set is under way does not change what is saved', async () => {
    const data = { cookie: { ...cookie }, cart: { items: [1] }, user: 'ann' }
    const saved = subject.set('a', data)
    data.cart.items.push(2)
    data.user = 'bob'
    await saved
    expect(await subject.get('a')).toStrictEqual({ cookie, cart: { items: [1] }, user: 'ann' })
  })

  test('data loaded under one id and set under another is a session of its own', async () => {
    await subject.set('a', { cookie, user: 'ann' })
    const data = (await subject.get('a')) as Data
    data.copied = true
    await subject.set('b', data)
    expect(await subject.get('a')).toStrictEqual({ cookie, user: 'ann' })
    expect(await subject.get('b')).toStrictEqual({ cookie, user: 'ann', copied: true })
  })

  test('destroy ends one session and leaves the others', async () => {
    await subject.set('a', { cookie, user: 'ann' })
    await subject.set('b', { cookie, user: 'bob' })
    await subject.destroy('a')
    expect(await subject.get('a')).toBe(subject.is.absent)
    expect(await subject.get('b')).toMatchObject({ user: 'bob' })
    expect(await subject.length()).toBe(1)
  })

  test('an id can be used again after destroy', async () => {
    await subject.set('a', { cookie, user: 'ann' })
    await subject.destroy('a')
    await subject.set('a', { cookie, lang: 'de' })
    expect(await subject.get('a')).toStrictEqual({ cookie, lang: 'de' })
  })

  test('the same data can be set again and again, whatever happened to the session', async () => {
    const data = { cookie, user: 'ann' }
    await subject.set('a', data)
    await subject.set('a', { cookie, user: 'bob', lang: 'de' })
    await subject.set('a', data)
    expect(await subject.get('a')).toStrictEqual(data)
    await subject.destroy('a')
    await subject.set('a', data)
    expect(await subject.get('a')).toStrictEqual(data)
  })

  test('destroying what is not there is no error', async () => {
    await expect(subject.destroy('nobody')).resolves.toBeUndefined()
  })

  test('a store without sessions has length 0, lists none and can be cleared', async () => {
    expect(await subject.length()).toBe(0)
    expect(await allById()).toEqual({})
    await expect(subject.clear()).resolves.toBeUndefined()
  })

  test('all lists every session under its id, and length counts them', async () => {
    await subject.set('a', { cookie, user: 'ann' })
    await subject.set('b', { cookie, user: 'bob' })
    expect(await allById()).toEqual({ [listed('a')]: { cookie, user: 'ann' }, [listed('b')]: { cookie, user: 'bob' } })
    expect(await subject.length()).toBe(2)
  })

  test('of more sessions than one SCAN returns, each is listed once', async () => {
    const sids = Array.from({ length: 350 }, (_, i) => `s${i}`)
    await Promise.all(sids.map((sid, i) => subject.set(sid, { cookie, i })))
    const all = await allById()
    expect(Object.keys(all).sort()).toEqual(sids.map(listed).sort())
    expect(await subject.length()).toBe(sids.length)
  })

  test('clear ends every session', async () => {
    await subject.set('a', { cookie, user: 'ann' })
    await subject.set('b', { cookie, user: 'bob' })
    await subject.clear()
    expect(await subject.get('a')).toBe(subject.is.absent)
    expect(await subject.get('b')).toBe(subject.is.absent)
    expect(await subject.length()).toBe(0)
  })

  test.each([
    ['what express-session generates', 'Zq3_-xYpL0aB1cD2eF3gH4iJ5kL6mN7o'],
    ['a UUID', '7d444840-9dc0-11d1-b245-5ffdce74fad2'],
    ['a name of Object.prototype', 'constructor'],
    ['base64', 'ab+/cd=='],
    ['one character', '1'],
    ['255 characters', 'x'.repeat(255)],
  ])('an id may be %s', async (_what, sid) => {
    expect(await subject.get(sid)).toBe(subject.is.absent)
    await subject.set(sid, { cookie, user: 'ann' })
    expect(await subject.get(sid)).toStrictEqual({ cookie, user: 'ann' })
    await subject.destroy(sid)
    expect(await subject.get(sid)).toBe(subject.is.absent)
  })

  const REFUSED = ['*', 'a b', '{a}', 'a\r\nb', 'ä', '__proto__'].map((sid) => [JSON.stringify(sid), sid])
  REFUSED.push(['513 characters', 'x'.repeat(513)])
  test.each(REFUSED)('an id that no generator makes is stored, or absent and refused: %s', async (_what, sid = '') => {
    const saved = subject.set(sid, { cookie, user: 'ann' })
    if (subject.is.ids === 'any text') {
      await saved
      expect(await subject.get(sid)).toMatchObject({ user: 'ann' })
    } else {
      await expect(saved).rejects.toMatchObject({ code: 'ERR_SESSION_INVALID_ID', status: 500 })
      expect(await subject.get(sid)).toBe(subject.is.absent)
    }
    await subject.destroy(sid)
    await subject.touch(sid, { cookie })
    expect(await subject.length()).toBe(0)
  })
}
