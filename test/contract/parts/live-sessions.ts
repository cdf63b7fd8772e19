import session from 'express-session'
import type { Data, LiveSession, Subject } from './subject.js'

const HOUR = 3_600_000

/** What express-session does with a session between `get` and `set`. */
export function liveSessions(subject: Subject): void {
  const saved = (live: LiveSession) =>
    new Promise<void>((resolve, reject) => live.save((err) => (err ? reject(err) : resolve())))
  const reloaded = (live: LiveSession) =>
    new Promise<LiveSession>((resolve, reject) =>
      live.reload((err) =>
        err ? reject(err) : resolve((live as unknown as { req: { session: LiveSession } }).req.session),
      ),
    )

  test('load of an unknown id gives nothing and no error', async () => {
    expect(await subject.load('nobody')).toBeUndefined()
  })

  test('load gives a session with id, methods, properties and a cookie that knows its time', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge: HOUR, sameSite: 'lax' }))
    const live = (await subject.load('a'))!
    expect(live).toBeInstanceOf(session.Session)
    expect(live.id).toBe('a')
    expect(live.user).toBe('ann')
    expect(live.cookie).toBeInstanceOf(session.Cookie)
    expect(live.cookie.expires).toBeInstanceOf(Date)
    expect(live.cookie.sameSite).toBe('lax')
    expect(live.cookie.maxAge).toBeGreaterThan(HOUR - 5000)
    expect(live.cookie.maxAge).toBeLessThanOrEqual(HOUR)
  })

  test('createSession turns loaded data into req.session and keeps originalMaxAge', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge: HOUR }))
    const data = (await subject.get('a')) as Data
    const { originalMaxAge } = data.cookie as { originalMaxAge: number }
    const req = { sessionID: 'a', sessionStore: subject.store } as { session?: unknown }
    const live = subject.store.createSession(req as never, data as never)
    expect(req.session).toBe(live)
    expect(live.cookie.originalMaxAge).toBe(originalMaxAge)
    expect(live.cookie.expires).toBeInstanceOf(Date)
  })

  test('a loaded session that was changed and saved holds exactly the changes', async () => {
    await subject.set('a', subject.live('a', { kept: 1, changed: 1, removed: 1 }))
    const live = (await subject.load('a'))!
    live.changed = 2
    live.added = 1
    delete live.removed
    await saved(live)
    const { cookie: _cookie, ...properties } = (await subject.get('a')) as Data
    expect(properties).toStrictEqual({ kept: 1, changed: 2, added: 1 })
  })

  test('a session that express-session has just made is saved before anybody has put anything in it', async () => {
    session({ store: subject.store, secret: 's', resave: false, saveUninitialized: false, genid: () => 'a' })
    const req = { sessionStore: subject.store, headers: {} } as unknown as { session: LiveSession }
    ;(subject.store as unknown as { generate(of: object): void }).generate(req)
    await saved(req.session)
    expect(Boolean(await subject.get('a'))).toBe(subject.is.saveOfNothing === 'is stored')
    await saved(Object.assign(req.session, { user: 'ann' }))
    expect(await subject.get('a')).toMatchObject({ user: 'ann' })
  })

  test('a session can be saved again and again', async () => {
    const live = subject.live('a', { n: 0 })
    for (let n = 1; n <= 3; n++) {
      live.n = n
      live[`p${n}`] = n
      delete live[`p${n - 1}`]
      await saved(live)
      const { cookie: _cookie, ...properties } = (await subject.get('a')) as Data
      expect(properties).toStrictEqual({ n, [`p${n}`]: n })
    }
  })

  test('saves that overlap are written in order', async () => {
    const live = subject.live('a', { n: 0 })
    await Promise.all(
      [1, 2, 3, 4].map((n) => {
        live.n = n
        return saved(live)
      }),
    )
    expect(await subject.get('a')).toMatchObject({ n: 4 })
  })

  test('a change that is taken back while its save is under way is taken back in the store', async () => {
    await subject.set('a', subject.live('a', { n: 0 }))
    const live = (await subject.load('a'))!
    live.n = 1
    const first = saved(live)
    live.n = 0
    await Promise.all([first, saved(live)])
    expect(await subject.get('a')).toMatchObject({ n: 0 })
  })

  test.each(['new', 'loaded'])(
    'a %s session, saved when its expires has passed meanwhile, ends or stays',
    async (kind) => {
      const fresh = subject.live('a', { user: 'ann' }, { maxAge: HOUR })
      await subject.set('a', fresh)
      const live = kind === 'new' ? fresh : (await subject.load('a'))!
      // The setter would reset originalMaxAge, whereas passing time does not.
      Object.assign(live.cookie, { _expires: new Date(Date.now() - 1) })
      live.n = 1
      await saved(live)
      if (subject.is.longRequest === 'ends the session') expect(await subject.get('a')).toBe(subject.is.absent)
      else expect(await subject.get('a')).toMatchObject({ user: 'ann', n: 1 })
    },
  )

  test('reload gives what another request has saved, and can be saved itself', async () => {
    await subject.set('a', subject.live('a', { user: 'ann', n: 1 }))
    const mine = (await subject.load('a'))!
    const other = (await subject.load('a'))!
    other.n = 2
    await saved(other)
    mine.n = 99
    const fresh = await reloaded(mine)
    expect(fresh).toMatchObject({ user: 'ann', n: 2 })
    fresh.n = 3
    await saved(fresh)
    expect(await subject.get('a')).toMatchObject({ user: 'ann', n: 3 })
  })

  test('reload of a session that has ended is an error', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }))
    const live = (await subject.load('a'))!
    await subject.destroy('a')
    await expect(reloaded(live)).rejects.toThrow('failed to load session')
  })

  test('destroy of a session ends it and takes it off the request', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }))
    const live = (await subject.load('a'))!
    await new Promise((resolve) => live.destroy(resolve))
    expect(await subject.get('a')).toBe(subject.is.absent)
    expect((live as unknown as { req: { session?: unknown } }).req.session).toBeUndefined()
  })

  test('a property that a session has no room for is gone after the next save', async () => {
    await subject.set('a', { cookie: { path: '/' }, save: 1, ['constructor' as string]: 2, user: 'ann' })
    const live = (await subject.load('a'))!
    expect(typeof live.save).toBe('function')
    live.n = 1
    await saved(live)
    const { cookie: _cookie, ...properties } = (await subject.get('a')) as Data
    expect(properties).toStrictEqual({ user: 'ann', n: 1 })
  })

  test('a session that ended is brought back by a slow save, or stays ended', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }))
    const slow = (await subject.load('a'))!
    await subject.destroy('a')
    slow.n = 1
    await saved(slow)
    if (subject.is.saveAfterEnd === 'brings it back')
      expect(await subject.get('a')).toMatchObject({ user: 'ann', n: 1 })
    else expect(await subject.get('a')).toBe(subject.is.absent)
  })

  test('a new session that was saved, ended, and saved again is brought back, or stays ended', async () => {
    const live = subject.live('a', { user: 'ann' })
    await saved(live)
    await subject.destroy('a')
    live.n = 1
    await saved(live)
    if (subject.is.saveAfterEnd === 'brings it back')
      expect(await subject.get('a')).toMatchObject({ user: 'ann', n: 1 })
    else expect(await subject.get('a')).toBe(subject.is.absent)
  })

  test('a slow save from before the session ended replaces the next one under its id, leaves it alone, or adds its changes', async () => {
    await subject.set('a', subject.live('a', { user: 'ann' }))
    const slow = (await subject.load('a'))!
    await subject.destroy('a')
    await subject.set('a', subject.live('a', { user: 'bob' }))
    slow.n = 1
    await saved(slow)
    const { cookie: _cookie, ...properties } = (await subject.get('a')) as Data
    const outcomes = {
      'replaces it': { user: 'ann', n: 1 },
      'leaves it alone': { user: 'bob' },
      'adds its changes': { user: 'bob', n: 1 },
    }
    expect(properties).toStrictEqual(outcomes[subject.is.saveOverNext])
  })

  test('of two requests that change different properties the last one wins, or both', async () => {
    await subject.set('a', subject.live('a', { user: 'ann', changed: 0, removed: 0 }))
    const first = (await subject.load('a'))!
    const second = (await subject.load('a'))!
    Object.assign(first, { changed: 1, added: 1 })
    delete first.removed
    second.mine = 2
    await saved(first)
    await saved(second)
    const { cookie: _cookie, ...properties } = (await subject.get('a')) as Data
    const both = subject.is.overlappingSaves === 'both survive'
    const others = both ? { changed: 1, added: 1 } : { changed: 0, removed: 0 }
    expect(properties).toStrictEqual({ user: 'ann', mine: 2, ...others })
  })
}
