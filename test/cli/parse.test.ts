import { countIn, type Options, parse } from '../../src/cli/parse.js'
import { selectedEntry } from '../../src/cli/target/selection.js'

const OPTIONS = {
  handle: { type: 'string', value: 'handle', help: '' },
  limit: { type: 'string', value: 'number', help: '' },
  json: { type: 'boolean', default: false, help: '' },
  'encryption-key-env': { type: 'string', help: '' },
} as const satisfies Options

const DASHED = '-jJqIdPTVg5GVI5VzAlgVQ'

test.each([
  [['--handle', DASHED, 'redis://x'], { handle: DASHED }, ['redis://x']],
  [[`--handle=${DASHED}`], { handle: DASHED }, []],
  [[DASHED, '--json', 'redis://x'], { json: true }, ['redis://x', DASHED]],
  [['--', DASHED], {}, [DASHED]],
  [['--encryption-key-env', 'KEYS'], { 'encryption-key-env': 'KEYS' }, []],
])('takes a handle that begins with a dash for no option: %j', (args, values, positionals) => {
  const parsed = parse('show', args, OPTIONS)
  expect(parsed.values).toMatchObject(values)
  expect([...parsed.positionals].sort()).toEqual([...positionals].sort())
})

test.each([
  [['--url=redis://:p4ss@x'], 'There is no such option: --url. See connect-redis-hash show --help'],
  [['-x'], 'There is no such option: -x. See connect-redis-hash show --help'],
  [['--limit'], '--limit takes a value: --limit=<number>. See connect-redis-hash show --help'],
  [['--json=p4ss'], '--json takes no value. See connect-redis-hash show --help'],
  [['--limit', '-5'], '--limit takes a value: --limit=<number>. See connect-redis-hash show --help'],
])('names a wrong option, and repeats no value: %j', (args, message) => {
  expect(() => parse('show', args, OPTIONS)).toThrow(expect.objectContaining({ name: 'CommandError', message }))
})

test.each(['0', '-1', '1.5', '', 'p4ss', '1e400'])('refuses the number %j by the name of its option', (text) => {
  expect(() => countIn('limit', text)).toThrow('--limit takes a whole number from 1 on.')
})

test.each([
  [{ user: 'u-1' }, { name: 'user', value: 'u-1' }],
  [{ index: 'tenant=a=b c' }, { name: 'tenant', value: 'a%3Db%20c' }],
  [{ index: `email=${'x'.repeat(60)}` }, { name: 'email', value: expect.stringMatching(/^#[\w-]{43}$/) }],
  [{ index: `email=#${'x'.repeat(43)}` }, { name: 'email', value: `#${'x'.repeat(43)}` }],
  [{}, undefined],
])('selects an index value: %j', (options, entry) => {
  expect(selectedEntry(options)).toEqual(entry)
})

test.each([
  [{ user: '' }, /--user/],
  [{ user: 'a', index: 'b=c' }, /--user or --index/],
  [{ index: 'tenant' }, /--index takes name=value/],
  [{ index: 'tenant=' }, /--index takes name=value/],
  [{ index: '@ends=1' }, /--index takes name=value/],
  [{ user: '\ud800' }, /--user/],
])('refuses a selection by the name of its option: %j', (options, message) => {
  expect(() => selectedEntry(options)).toThrow(message)
})
