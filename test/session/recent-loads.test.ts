import { RecentLoads } from '../../src/session/recent-loads.js'
import { SessionRecord } from '../../src/session/session-record.js'

const MINUTE = 60_000

let now: number
let loads: RecentLoads
beforeEach(() => {
  now = 0
  loads = new RecentLoads(() => now)
})

function record(saves: string, fields: Record<string, string> = {}): SessionRecord {
  const meta = { created: 'c', saves } as never
  return new SessionRecord('id', { kind: 'hash', meta }, new Map(Object.entries(fields)))
}
function baseOf(id: string) {
  const found = loads.find(id)
  return found && loads.baseOf(found)
}

test('a session that was not loaded is unknown', () => {
  expect(loads.find('id')).toBeUndefined()
})

test('loads of one state stand in for each other, and each for one save', () => {
  const [one, two] = [record('1'), record('1')]
  loads.add('id', one, '')
  loads.add('id', two, '')
  expect([baseOf('id'), baseOf('id')].map((base) => base?.kind)).toEqual(['certain', 'certain'])
  expect(baseOf('id')).toEqual({ kind: 'forgotten', created: 'c' })
})

test('loads of different states are in doubt about what they differ in, and no save settles that', () => {
  loads.add('id', record('1', { user: '"ada"', visits: '1', gone: '1' }), '')
  loads.add('id', record('2', { user: '"ada"', visits: '2', added: '1' }), '')
  for (let i = 0; i < 2; i++) {
    const base = baseOf('id')
    if (base?.kind !== 'contested') throw new Error(`${base?.kind}`)
    expect([...base.record.uncertain].sort()).toEqual(['added', 'gone', 'visits'])
    expect(base.record.fields.get('visits')).toBe('2')
  }
})

test('a load that became a req.session after all leaves no trace', () => {
  const one = record('1')
  loads.add('id', one, '')
  loads.remove('id', one)
  expect(loads.find('id')).toBeUndefined()
  expect(loads.isEmpty).toBe(true)
})

test('a load counts for ten minutes', () => {
  loads.add('id', record('1', { a: '1' }), '')
  now = 9 * MINUTE
  loads.add('id', record('2', { a: '2' }), '')
  expect(baseOf('id')?.kind).toBe('contested')
  now = 10 * MINUTE
  expect(baseOf('id')?.kind).toBe('certain')
  now = 19 * MINUTE
  expect(loads.find('id')).toBeUndefined()
})

test('an id that Redis says is free is forgotten once nobody has its session any more', () => {
  const one = record('1')
  loads.add('id', one, '')
  loads.gone('id')
  expect(loads.find('id')).toBeDefined()
  loads.saved('id', one)
  loads.gone('id')
  expect(loads.find('id')).toBeUndefined()
})

test('memory is bounded: what was loaded long before keeps its guard without its content, then goes', () => {
  loads.add('first', record('1'), '')
  for (let i = 0; i < 2000; i++) loads.add(`id-${i}`, record('1'), '')
  expect(baseOf('first')).toEqual({ kind: 'forgotten', created: 'c' })
  // The request that loads it now may not be the one that saves.
  loads.add('first', record('2'), '')
  expect(baseOf('first')?.kind).toBe('forgotten')
  now = 10 * MINUTE
  loads.add('first', record('3'), '')
  expect(baseOf('first')?.kind).toBe('certain')
  for (let i = 0; i < 20_000; i++) loads.add(`next-${i}`, record('1'), '')
  expect(loads.find('first')).toBeUndefined()
})
