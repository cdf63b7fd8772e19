import { parseWhere } from '../../src/cli/target/where.js'

test.each([
  ['redis://localhost', ['redis://localhost']],
  ['localhost:6380', ['redis://localhost:6380']],
  ['/run/redis,1.sock?password=x', ['/run/redis,1.sock?password=x']],
  ['redis://u:p%40,q@host:1/2?family=6', ['redis://u:p%40,q@host:1/2?family=6']],
  ['rediss://u:p@a:1,b:2,c/3', ['rediss://u:p@a:1/3', 'rediss://u:p@b:2/3', 'rediss://u:p@c/3']],
  ['redis://u:p@a:1,redis://u:p@b:2', ['redis://u:p@a:1', 'redis://u:p@b:2']],
  ['a:1,[::1]:2', ['redis://a:1', 'redis://[::1]:2']],
])('%s names nodes', (text, urls) => {
  expect(parseWhere(text)).toEqual({ urls, sentinels: undefined })
})

test.each([
  ['redis-sentinel://a,b:26380/mymaster', 'mymaster', 'redis://master/', false],
  ['redis+sentinel://u:p@a,b:26380/my%20master/3', 'my master', 'redis://u:p@master/3', false],
  [
    'rediss-sentinel://:p@a,b:26380/3?sentinelPassword=s#mymaster',
    'mymaster',
    'rediss://:p@master/3?sentinelPassword=s',
    true,
  ],
  ['redis-sentinel://a,b:26380', undefined, 'redis://master/', false],
])('%s names Sentinels', (text, name, rest, isTls) => {
  const hosts = [
    { host: 'a', port: 26_379 },
    { host: 'b', port: 26_380 },
  ]
  const scheme = isTls ? 'rediss' : 'redis'
  const login = text.includes('sentinelPassword') ? ':s@' : ''
  const urls = [`${scheme}://${login}a:26379`, `${scheme}://${login}b:26380`]
  expect(parseWhere(text)).toEqual({ urls, sentinels: { hosts, name, isTls, rest } })
})

test.each(['redis-sentinel://u:p4ss@/x', 'redis-sentinel://u:p4ss@a/x/p4ss', 'redis-sentinel://u:p4ss@a b/x'])(
  'refuses a wrong one without repeating it: %s',
  (text) => {
    let message = ''
    try {
      parseWhere(text)
    } catch (err) {
      message = (err as Error).message
    }
    expect(message).toMatch(/It looks like this: redis-sentinel:/)
    expect(message).not.toContain('p4ss')
  },
)
