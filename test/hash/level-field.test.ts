import { levelText, parseLevel } from '../../src/hash/level-field.js'

test('a level is read as it was written', () => {
  const proven = { level: 2, sinceMs: 1_800_000_000_123, methods: ['pwd', 'webauthn'] }
  expect(levelText(proven)).toBe(`2 ${(1_800_000_000_123).toString(36)} pwd,webauthn`)
  expect(parseLevel(levelText(proven))).toEqual(proven)
  expect(parseLevel(levelText({ ...proven, methods: [] }))).toEqual({ ...proven, methods: [] })
})

test.each([
  undefined,
  '',
  '2',
  '0 mhk3o0x1',
  '10 mhk3o0x1',
  '2 mhk3o0x1 ',
  '2 mhk3o0x1 a b',
  '2 -1',
  '2 mhk3o0x1 pwd é',
])('%j is no level', (text) => {
  expect(parseLevel(text)).toBeNull()
})

test.each([0, 10, 1.5, '2', Number.NaN, null])('level %j is refused', (level) => {
  expect(() => levelText({ level: level as number, sinceMs: 1, methods: [] })).toThrow(/"level" option/)
})

test.each([['a b'], ['a,b'], [''], ['é'], [1], ['x'.repeat(60)], 'pwd'].map((methods) => [methods]))(
  'methods %j are refused',
  (methods) => {
    expect(() => levelText({ level: 1, sinceMs: 1_800_000_000_123, methods: methods as string[] })).toThrow(
      /"methods" option/,
    )
  },
)

test('the longest text is under 64 bytes', () => {
  expect(levelText({ level: 9, sinceMs: 1_800_000_000_123, methods: ['x'.repeat(50)] }).length).toBeLessThan(64)
})
