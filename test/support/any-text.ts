import fc from 'fast-check'

const codeUnit = (min: number, max: number) => fc.integer({ min, max }).map((code) => String.fromCharCode(code))

/** One UTF-16 code unit: mostly ASCII, control characters included, and often half of a surrogate pair. */
const unit = fc.oneof(
  { weight: 6, arbitrary: codeUnit(0, 0x7f) },
  { weight: 2, arbitrary: codeUnit(0xd800, 0xdfff) },
  { weight: 2, arbitrary: codeUnit(0, 0xffff) },
)

/** Any JavaScript string. Building `fc.string({ unit: 'binary' })` instead would take a second in each test file. */
export function anyText({ minLength = 0, maxLength = 20 } = {}): fc.Arbitrary<string> {
  return fc.array(unit, { minLength, maxLength }).map((units) => units.join(''))
}
