import type { Data, Subject } from './subject.js'

const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

const NAMES = [
  '',
  ' ',
  '@',
  '@@',
  '@@@',
  '@x',
  '@cookie',
  '@cookie.1',
  '@"x"',
  '@"cookie"',
  '"x"',
  'Cookie',
  'cookie.path',
  '1',
  '-1',
  '1.5',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'isPrototypeOf',
  '__defineGetter__',
  'then',
  'id',
  'req',
  'save',
  'length',
  'a\nb',
  'a\u0000b',
  'ключ 🔑',
  'é',
  'e\u0301',
  'a\ud800',
  'a\ud801',
  'a\udc00',
  '\ud800',
  '@\ud800',
  'x'.repeat(20_000),
]

const title = (name: string) => (name.length > 40 ? `${name.length} characters` : JSON.stringify(name))

export function propertyNames(subject: Subject): void {
  /** Compares without toStrictEqual, which takes a property named `constructor` for the class of the object. */
  async function expectStored(properties: Record<string, unknown>): Promise<Data> {
    const stored = (await subject.get('a')) as Data
    expect(stored).toEqual({ cookie, ...properties })
    expect(Object.keys(stored).sort()).toEqual(['cookie', ...Object.keys(properties)].sort())
    return stored
  }

  test.each(NAMES.map((name) => [title(name), name]))('a property may be named %s', async (_title, name) => {
    await subject.set('a', { cookie, [name]: { first: 1 } })
    const first = await expectStored({ [name]: { first: 1 } })
    first[name] = 'second'
    await subject.set('a', first)
    const second = await expectStored({ [name]: 'second' })
    delete second[name]
    await subject.set('a', second)
    await expectStored({})
  })

  test('no two of these names are mistaken for each other', async () => {
    const all = Object.fromEntries(NAMES.map((name, i) => [name, i]))
    await subject.set('a', { cookie, ...all })
    const data = await expectStored(all)
    for (const [i, name] of NAMES.entries()) if (i % 2 === 0) delete data[name]
    await subject.set('a', data)
    const odd = Object.fromEntries(NAMES.flatMap((name, i) => (i % 2 === 0 ? [] : [[name, i]])))
    await expectStored(odd)
  })

  test('a name that differs in Unicode normalisation only is another name', async () => {
    await subject.set('a', { cookie, '\u00e9': 1, 'e\u0301': 2 })
    expect(await subject.get('a')).toStrictEqual({ cookie, '\u00e9': 1, 'e\u0301': 2 })
  })

  test('a property named __proto__ never gives a session another prototype', async () => {
    const hostile = JSON.parse('{"cookie":{"path":"/"},"__proto__":{"isAdmin":true},"user":"ann"}')
    await subject.set('a', hostile)
    const data = (await subject.get('a')) as Data
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype)
    expect(data.isAdmin).toBeUndefined()
    expect(Object.hasOwn(data, '__proto__')).toBe(subject.is.protoProperty === 'kept')

    const live = await subject.load('a')
    expect(live?.isAdmin).toBeUndefined()
    expect(live?.user).toBe('ann')
    expect({}).not.toHaveProperty('isAdmin')
  })
}
