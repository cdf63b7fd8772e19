import { setTimeout as sleep } from 'node:timers/promises'
import { unlessStalled } from '../../support/unless-stalled.js'
import { asJson, type Data, type Subject } from './subject.js'

const HOUR = 3_600_000
/** A TTL that is short for a test, but long enough on a busy machine. */
const BRIEF = 800
const ago = (ms: number) => new Date(Date.now() - ms).toISOString()
const ahead = (ms: number) => ago(-ms)

export function expiry(subject: Subject): void {
  test.each<[string, () => Record<string, unknown>]>([
    ['expires in the past', () => ({ originalMaxAge: HOUR, expires: ago(1) })],
    ['expires in the past and no originalMaxAge', () => ({ expires: ago(HOUR) })],
    ['expires in milliseconds in the past', () => ({ expires: Date.now() - 1 })],
    ['expires as a Date in the past', () => ({ expires: new Date(0) })],
  ])('a cookie with %s is no session', async (_what, cookie) => {
    await subject.set('a', { cookie: cookie(), user: 'ann' })
    expect(await subject.get('a')).toBe(subject.is.absent)
    expect(await subject.length()).toBe(0)
    expect(Object.keys(await subject.all())).toEqual([])
  })

  test.each([0, -1, -HOUR])('a session saved with maxAge %d is no session', async (maxAge) => {
    await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge }))
    expect(await subject.get('a')).toBe(subject.is.absent)
  })

  test('data with a past expiry ends the session that was there', async () => {
    await subject.set('a', { cookie: { path: '/' }, user: 'ann' })
    await subject.set('a', { cookie: { path: '/', expires: ago(1) }, user: 'ann' })
    expect(await subject.get('a')).toBe(subject.is.absent)
  })

  test('a session ends with the last expiry that set or touch gave it, and without one it stays', async () => {
    const sids = ['short', 'short-plain', 'long', 'none', 'prolonged', 'shortened', 'prolonged-plain']
    const alive = async () => {
      const found = await Promise.all(sids.map((sid) => subject.get(sid)))
      return sids.filter((_sid, i) => found[i])
    }
    const make = async () => {
      const soon = { originalMaxAge: BRIEF, expires: ahead(BRIEF) }
      const later = { originalMaxAge: HOUR, expires: ahead(HOUR) }
      await subject.set('short', subject.live('short', {}, { maxAge: BRIEF }))
      await subject.set('short-plain', { cookie: soon })
      await subject.set('long', subject.live('long', {}, { maxAge: HOUR }))
      await subject.set('none', subject.live('none'))
      for (const [sid, before, after] of [
        ['prolonged', BRIEF, HOUR],
        ['shortened', HOUR, BRIEF],
      ] as const) {
        await subject.set(sid, subject.live(sid, {}, { maxAge: before }))
        const session = (await subject.load(sid))!
        session.cookie.maxAge = after
        await subject.touch(sid, session)
      }
      await subject.set('prolonged-plain', { cookie: soon })
      await subject.touch('prolonged-plain', { cookie: later })
    }

    // If the machine took longer than the sessions live, the attempt proves nothing.
    for (let isInTime = false; !isInTime; ) {
      const begun = performance.now()
      const found = await make().then(alive, (err: unknown) => err)
      isInTime = performance.now() - begun < BRIEF
      if (isInTime) expect(found).toEqual(sids)
    }
    await sleep(BRIEF + 10)
    expect(await alive()).toEqual(['long', 'none', 'prolonged', 'prolonged-plain'])
    expect(await subject.length()).toBe(4)
  })

  test('touches keep a session alive past its first expiry, and it ends after the last', async () => {
    let found: unknown
    let isOverdue = true
    // If the machine paused for longer than the session lives, the test proves nothing.
    while (isOverdue) {
      isOverdue = false
      let touchedAt = performance.now()
      await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge: BRIEF }))
      for (let i = 0; i < 2; i++) {
        await sleep(BRIEF / 2 + 10)
        const session = await subject.load('a')
        const now = performance.now()
        if (session) await subject.touch('a', session.touch())
        isOverdue ||= performance.now() - touchedAt >= BRIEF
        touchedAt = now
      }
      found = await subject.get('a')
      isOverdue ||= performance.now() - touchedAt >= BRIEF
    }
    expect(found).toMatchObject({ user: 'ann' })
    await sleep(BRIEF + 10)
    expect(await subject.get('a')).toBe(subject.is.absent)
  })

  test('a touch writes the cookie and no property', async () => {
    await subject.set('a', subject.live('a', { user: 'ann', role: 'guest' }, { maxAge: HOUR }))
    const session = (await subject.load('a'))!
    Object.assign(session, { role: 'admin', extra: 1, user: undefined })
    session.cookie.maxAge = 2 * HOUR
    await subject.touch('a', session)
    const stored = (await subject.get('a')) as Data
    expect(stored).toMatchObject({ user: 'ann', role: 'guest' })
    expect(stored).not.toHaveProperty('extra')
    expect(stored.cookie?.originalMaxAge).toBe(session.cookie.originalMaxAge)
  })

  test('a touch leaves what another request saved meanwhile', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge: HOUR }))
    const slow = (await subject.load('a'))!
    const quick = (await subject.load('a'))!
    await subject.set('a', Object.assign(quick, { cart: [1] }))
    slow.cookie.maxAge = 2 * HOUR
    await subject.touch('a', slow)
    expect(await subject.get('a')).toMatchObject({ user: 'ann', cart: [1] })
  })

  test('a touch with a past expiry ends the session', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge: HOUR }))
    const session = (await subject.load('a'))!
    session.cookie.maxAge = -1
    await subject.touch('a', session)
    expect(await subject.get('a')).toBe(subject.is.absent)
  })

  // connect-mongo#471
  test('touching a session that has vanished is no error and brings nothing back', async () => {
    const session = subject.live('a', { user: 'ann' }, { maxAge: HOUR })
    await subject.set('a', session)
    const loaded = (await subject.load('a'))!
    await subject.destroy('a')
    await expect(subject.touch('a', loaded)).resolves.toBeUndefined()
    await expect(subject.touch('a', session)).resolves.toBeUndefined()
    await expect(subject.touch('nobody', asJson(session) as Data)).resolves.toBeUndefined()
    expect(await subject.length()).toBe(0)
  })

  test('a touch a moment after the last is written, or left for the next touchInterval', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge: HOUR }))
    const first = (await subject.get('a'))?.cookie?.expires as string
    await sleep(5)
    const session = (await subject.load('a'))!
    const { originalMaxAge } = session.cookie
    session.cookie.expires = new Date(Date.now() + HOUR)
    session.cookie.originalMaxAge = originalMaxAge
    await subject.touch('a', session)
    const second = (await subject.get('a'))?.cookie?.expires as string
    expect(Date.parse(second) > Date.parse(first)).toBe(subject.is.touch === 'every time')
  })

  test('a copy of loaded data that is set again keeps its expiry', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge: HOUR }))
    const data = (await subject.get('a')) as Data
    await sleep(5)
    await subject.set('a', { ...data, again: true })
    expect((await subject.get('a'))?.cookie?.expires).toBe(data.cookie?.expires)
  })

  test('loaded data that is set again later keeps its expiry, or slides', async () => {
    await unlessStalled(500, async () => {
      await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge: 1000 }))
      const loaded = (await subject.get('a')) as Data
      const before = loaded.cookie?.expires as string
      loaded.again = true
      // Saves refresh the expiry at most once in a twentieth of maxAge.
      await sleep(60)
      await subject.set('a', loaded)
      const after = (await subject.get('a'))?.cookie?.expires as string
      expect(Date.parse(after) > Date.parse(before)).toBe(subject.is.savedPlainData === 'slides')
    })
  })
}
