import { quoted, structuredText } from '../../../src/middleware/device/structured-text.js'

test.each([
  ['"abc"', 'abc'],
  ['abc', 'abc'],
  ['eyJ.eyJ.x-_', 'eyJ.eyJ.x-_'],
  [' "abc" ', 'abc'],
  ['"abc";id="x"', 'abc'],
  ['""', ''],
  ['"a\\"b\\\\c"', 'a"b\\c'],
  ['"a, b"', 'a, b'],
])('%s is read as %s', (header, text) => {
  expect(structuredText(header)).toBe(text)
})

test.each([['"abc'], ['abc"'], ['"a"b"'], ['"a", "b"'], ['a, b'], ['"a\\b"'], ['"ä"'], ['(a b)'], ['?1 x']])(
  '%s is no string',
  (header) => {
    expect(structuredText(header)).toBeNull()
  },
)

test('no header is undefined, several are no string', () => {
  expect(structuredText(undefined)).toBeUndefined()
  expect(structuredText(['a', 'b'])).toBeNull()
})

test('what is written is read again', () => {
  for (const text of ['abc', 'a"b\\c', '', '/a b']) expect(structuredText(quoted(text))).toBe(text)
})
