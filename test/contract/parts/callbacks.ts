import { setImmediate as tick } from 'node:timers/promises'
import type { SessionData, Store } from 'express-session'
import type { Subject } from './subject.js'

const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const data = { cookie, user: 'ann' } as unknown as SessionData

type Call = (store: Store, callback?: (...args: unknown[]) => void) => unknown

/** Every method, and the arguments that its callback gets after the error. */
const METHODS: [name: string, call: Call, value: (subject: Subject) => unknown][] = [
  ['get', (store, cb) => store.get('a', cb as never), () => expect.objectContaining({ user: 'ann' })],
  ['get of an unknown id', (store, cb) => store.get('nobody', cb as never), (subject) => subject.is.absent],
  ['set', (store, cb) => store.set('a', data, cb), () => undefined],
  ['touch', (store, cb) => store.touch?.('a', data, cb), () => undefined],
  ['touch of an unknown id', (store, cb) => store.touch?.('nobody', data, cb), () => undefined],
  ['destroy', (store, cb) => store.destroy('a', cb), () => undefined],
  ['destroy of an unknown id', (store, cb) => store.destroy('nobody', cb), () => undefined],
  ['all', (store, cb) => store.all?.(cb as never), () => expect.anything()],
  ['length', (store, cb) => store.length?.(cb as never), () => 1],
  ['clear', (store, cb) => store.clear?.(cb), () => undefined],
]

export function callbacks(subject: Subject): void {
  beforeEach(() => subject.set('a', data as never))

  test.each(METHODS)('%s calls back once, later, with no error', async (_name, call, value) => {
    const calls: unknown[][] = []
    let returned = false
    await new Promise<void>((resolve) => {
      call(subject.store, (...args) => {
        expect(returned).toBe(true)
        calls.push(args)
        resolve()
      })
      returned = true
    })
    await tick()
    await tick()
    expect(calls).toHaveLength(1)
    expect(calls[0]?.[0] ?? null).toBeNull()
    expect(calls[0]?.[1]).toEqual(value(subject))
  })

  test.each(METHODS)('%s gives a promise too, with the same value, or nothing', async (_name, call, value) => {
    let result: unknown
    let inCallback: unknown
    await new Promise<void>((resolve) => {
      result = call(subject.store, (_err, got) => {
        inCallback = got
        resolve()
      })
    })
    if (subject.is.answers === 'callback') {
      expect(result).toBeUndefined()
    } else {
      expect(result).toBeInstanceOf(Promise)
      expect(await result).toEqual(value(subject))
      expect(await result).toBe(inCallback)
    }
  })

  const OPTIONAL = METHODS.filter(([name]) => /^(set|touch|destroy|clear)/.test(name))
  test.each(OPTIONAL)('%s works without a callback', async (_name, call) => {
    await call(subject.store)
    expect(await subject.length()).toBeGreaterThanOrEqual(0)
  })

  test('a promise without a callback rejects, one with a callback may be left alone', async () => {
    if (subject.is.answers === 'callback') return
    const refused = (callback?: (err: unknown) => void) =>
      subject.store.set('*', data, callback) as unknown as Promise<void>
    await expect(refused()).rejects.toMatchObject({ code: 'ERR_SESSION_INVALID_ID' })
    const err = await new Promise((resolve) => {
      refused(resolve).catch(() => undefined)
    })
    expect(err).toMatchObject({ code: 'ERR_SESSION_INVALID_ID' })
  })
}
