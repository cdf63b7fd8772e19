import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { mergeValues } from '../../src/merge/three-way.js'

class Money {
  readonly #cents: number
  constructor(cents: number) {
    this.#cents = cents
  }
  get cents(): number {
    return this.#cents
  }
}

const nested = (depth: number, leaf: unknown): unknown =>
  Array.from({ length: depth }).reduce((inner) => ({ inner }), leaf)

describe('two changes of one value', () => {
  test.each<[what: string, base: unknown, theirs: unknown, mine: unknown, merged: unknown]>([
    ['of different keys both count', { a: 1 }, { a: 1, b: 2 }, { a: 1, c: 3 }, { a: 1, b: 2, c: 3 }],
    [
      'of different keys, at any depth',
      { a: { b: {} } },
      { a: { b: { c: 1 } } },
      { a: { b: { d: 1 } } },
      { a: { b: { c: 1, d: 1 } } },
    ],
    ['that are equal are one', { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }],
    ['where only they changed: theirs', { a: 1 }, { a: 2 }, { a: 1 }, { a: 2 }],
    ['where only we changed: ours', { a: 1 }, { a: 1 }, { a: 2 }, { a: 2 }],
    ['of an object that neither had', undefined, { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['that make objects of a scalar', 7, { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['they delete what we leave', { a: 1, b: 2 }, { b: 2 }, { a: 1, b: 2 }, { b: 2 }],
    ['we delete what they leave', { a: 1, b: 2 }, { a: 1, b: 2 }, { b: 2 }, { b: 2 }],
    ['both delete', { a: 1, b: 2 }, { b: 2 }, { b: 2 }, { b: 2 }],
    ['they delete what we edit: the edit wins', { a: 1 }, {}, { a: 2 }, { a: 2 }],
    ['we delete what they edit: the edit wins', { a: 1 }, { a: 2 }, {}, { a: 2 }],
    [
      'they delete all of what we edit a part of',
      { a: { x: 1, y: 2 } },
      {},
      { a: { x: 3, y: 2 } },
      { a: { x: 3, y: 2 } },
    ],
    ['the property itself is deleted by them, and left by us', { a: 1 }, undefined, { a: 1 }, undefined],
    ['the property itself is deleted by us, and edited by them', { a: 1 }, { a: 2 }, undefined, { a: 2 }],
    ['lists that only one side changed', { a: [1] }, { a: [1, 2] }, { a: [1], b: 1 }, { a: [1, 2], b: 1 }],
    [
      'a key that is undefined stays one',
      { a: 1 },
      { a: 1, b: undefined },
      { a: 1, c: 2 },
      { a: 1, b: undefined, c: 2 },
    ],
    ['null is a value', { a: null }, { a: null, b: 1 }, { a: null, c: null }, { a: null, b: 1, c: null }],
    ['nothing changed', { a: 1 }, { a: 1 }, { a: 1 }, { a: 1 }],
  ])('%s', (_what, base, theirs, mine, merged) => {
    const result = mergeValues(base, theirs, mine)
    expect(result).toStrictEqual({ value: merged, conflicts: [] })
  })

  test.each<[what: string, base: unknown, theirs: unknown, mine: unknown, path: string[]]>([
    ['scalars', { a: { b: 1 } }, { a: { b: 2 } }, { a: { b: 3 } }, ['a', 'b']],
    ['lists, which are one leaf', { a: [] }, { a: [1] }, { a: [2] }, ['a']],
    ['dates', { a: new Date(1) }, { a: new Date(2) }, { a: new Date(3) }, ['a']],
    ['a new key, added twice', {}, { a: 1 }, { a: 2 }, ['a']],
    ['an object and a list', { a: {} }, { a: { b: 1 } }, { a: [1] }, ['a']],
    ['an object and a scalar', { a: {} }, { a: 1 }, { a: { b: 1 } }, ['a']],
    ['a whole property', 1, 2, 3, []],
    ['an empty name', {}, { '': 1 }, { '': 2 }, ['']],
  ])('one leaf with two values, %s: ours, and a conflict that names its path', (_what, base, theirs, mine, path) => {
    const { value, conflicts } = mergeValues(base, theirs, mine)
    expect(value).toStrictEqual(mine)
    expect(conflicts).toEqual([path])
  })

  test('instances of classes are leaves, compared as the caller says', () => {
    const [base, theirs] = [{ price: new Money(1) }, { price: new Money(2) }]
    const isSame = (a: unknown, b: unknown) => (a as Money).cents === (b as Money).cents
    expect(mergeValues(base, theirs, { price: new Money(1), n: 1 }, isSame).value).toEqual({
      price: theirs.price,
      n: 1,
    })
    expect(mergeValues(base, theirs, { price: new Money(3) }, isSame).conflicts).toEqual([['price']])
  })

  test('nothing given is modified, also if the merged objects are', () => {
    const given = [{ a: { b: 1 } }, { a: { b: 1, c: 1 } }, { a: { b: 2 } }]
    const before = structuredClone(given)
    const { value } = mergeValues(...(given as [unknown, unknown, unknown]))
    ;(value as { a: { b: number } }).a.b = 9
    expect(given).toEqual(before)
  })
})

describe('hostile content', () => {
  test('__proto__ as a key is dropped, at any depth, and changes no prototype', () => {
    const hostile = (n: number) =>
      JSON.parse(`{"x":{"__proto__":{"isAdmin":${n}}},"__proto__":{"isAdmin":${n}},"n${n}":1}`)
    const { value } = mergeValues(hostile(0), hostile(1), hostile(2))
    expect(JSON.stringify(value)).toBe('{"x":{},"n1":1,"n2":1}')
    expect((value as { isAdmin?: unknown }).isAdmin).toBeUndefined()
    expect((value as { x: { isAdmin?: unknown } }).x.isAdmin).toBeUndefined()
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined()
  })

  test('constructor, prototype, toString, hasOwnProperty and toJSON are names like any others', () => {
    const names = ['constructor', 'prototype', 'toString', 'hasOwnProperty', 'toJSON', 'then', 'valueOf']
    for (const name of names) {
      expect(mergeValues({}, { [name]: 1 }, { b: 1 })).toEqual({ value: { [name]: 1, b: 1 }, conflicts: [] })
      expect(mergeValues({}, { a: 1 }, { [name]: { prototype: 1 } }).value).toEqual({ a: 1, [name]: { prototype: 1 } })
      expect(mergeValues({ [name]: 1 }, {}, { [name]: 1, b: 1 }).value).toEqual({ b: 1 })
    }
  })

  test('depth exhausts no stack: what is deeper than a hundred objects is a leaf', () => {
    const { value, conflicts } = mergeValues(nested(50_000, 1), nested(50_000, 2), nested(50_000, 3))
    expect(conflicts).toHaveLength(1)
    expect(conflicts[0]).toHaveLength(100)
    let inner = value as { inner?: unknown }
    let depth = 0
    while (typeof inner === 'object') {
      inner = inner.inner as typeof inner
      depth += 1
    }
    expect([depth, inner]).toEqual([50_000, 3])
  })

  test('circular values, and values that occur many times, come to an end', () => {
    const circle = (n: number) => {
      const one: Record<string, unknown> = { n }
      return Object.assign(one, { self: one, again: { self: one } })
    }
    expect(mergeValues(circle(1), circle(2), circle(1)).value).toMatchObject({ n: 2 })
    const doubled = (n: number) => Array.from({ length: 60 }).reduce((inner) => ({ a: inner, b: inner }), { n })
    expect(mergeValues(doubled(1), doubled(2), doubled(3)).conflicts.length).toBeLessThanOrEqual(100)
  })

  test('many conflicts are not listed without end', () => {
    const many = (n: number) => Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, n]))
    expect(mergeValues(many(1), many(2), many(3)).conflicts).toHaveLength(100)
  })
})

describe('for any values', () => {
  const anyObject = fc.object({ maxDepth: 3, maxKeys: 4, key: fc.constantFrom('a', 'b', 'c', 'constructor', '') })
  const asJson = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown

  test('what only one side has changed is taken as it is', () => {
    const taken = (value: unknown) => ({ value, conflicts: [] })
    fc.assert(
      fc.property(anyObject.map(asJson), anyObject.map(asJson), (base, changed) => {
        for (const versions of [
          [base, changed, base],
          [base, base, changed],
          [base, changed, changed],
        ] as const) {
          expect(isDeepStrictEqual(mergeValues(...versions), taken(changed))).toBe(true)
        }
      }),
    )
  })

  test('without a conflict, it does not matter who was first', () => {
    fc.assert(
      fc.property(anyObject.map(asJson), anyObject.map(asJson), anyObject.map(asJson), (base, one, other) => {
        const [there, back] = [mergeValues(base, one, other), mergeValues(base, other, one)]
        expect(there.conflicts.map(String).sort()).toEqual(back.conflicts.map(String).sort())
        if (there.conflicts.length === 0) expect(there.value).toEqual(back.value)
      }),
    )
  })
})
