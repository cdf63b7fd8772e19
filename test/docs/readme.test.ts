import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { example, examplesOf } from '../support/markdown.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { Browser, Reader } from '../support/reader.js'
import { freePort } from '../support/redis-node.js'
import { TOOLS, toolFunctions } from '../support/tools.js'
import { asShown, asTyped, steps, typed } from '../support/transcript.js'

const README = 'README.md'
const readme = readFileSync(README, 'utf8')
const FILES = ['app.mjs', 'account.mjs', 'away.mjs', 'production.mjs']
const CONNECT_REDIS = 'connect-redis10'

let redis: PrivateRedis
let reader: Reader
let env: Record<string, string>

beforeAll(async () => {
  const port = await freePort()
  redis = await privateRedis(['--port', String(port)])
  const folders = { express: 'express', 'express-session': 'express-session', ioredis: 'ioredis', redis: 'redis' }
  reader = new Reader({ ...folders, 'connect-redis': CONNECT_REDIS })
  reader.write(Object.fromEntries(FILES.map((name) => [name, example(README, 'run', name)])))
  const SESSION_SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfTk7Jt0Yw9uQm='
  env = { REDIS_URL: `redis://localhost:${port}`, NODE_ENV: 'development', SESSION_SECRET }
})
afterEach(() => redis.admin.flushall())
afterAll(async () => {
  await reader.end()
  await redis.stop()
})

describe('the application of the README, each file run as printed', () => {
  test.each(TOOLS)('app.mjs: every line of the transcript comes out as the page shows it, with %s', async (tools) => {
    const { url, child } = await reader.start('app.mjs', env)
    // The page says port 3000; this machine has another one.
    const prelude = `rm -f jar; REDIS_URL=${env.REDIS_URL}; ${toolFunctions(tools)}`
    const all = steps(example(README, 'transcript', 'app.mjs').replaceAll('localhost:3000', new URL(url).host))
    expect(asTyped(all, await typed(all, reader.dir, prelude, tools))).toEqual(asShown(all))
    child.kill()
  })

  test('app.mjs: a login changes the session id that somebody knew before', async () => {
    const { url, child } = await reader.start('app.mjs', env)
    const [ada, thief] = [new Browser(url), new Browser(url)]
    await ada.send('POST', '/login/ada')
    thief.cookie = ada.cookie
    await ada.send('POST', '/login/bob')
    expect(ada.cookie).not.toBe(thief.cookie)
    expect((await thief.send('GET', '/')).text).toBe('Not logged in.\n')
    expect((await ada.send('GET', '/')).text).toBe('bob, visit 1\n')
    child.kill()
  })

  test('account.mjs: lists both devices, logs out the other one, and asks for a fresh login', async () => {
    const { url, child } = await reader.start('account.mjs', env)
    const [here, there, nobody] = [new Browser(url), new Browser(url), new Browser(url)]
    for (const one of [here, there]) await one.send('POST', '/login/ada')
    const page = await here.send('GET', '/account/sessions')
    expect(page.text.match(/<h2>/g)).toHaveLength(2)
    expect(page.text).toContain('href="/"')
    expect(await nobody.send('POST', '/logout-elsewhere')).toMatchObject({ status: 401 })
    expect(await here.send('POST', '/logout-elsewhere')).toMatchObject({ status: 200, text: '1 ended.\n' })
    expect((await there.send('GET', '/')).text).toBe('Not logged in.\n')
    expect((await here.send('GET', '/')).text).toBe('ada, visit 1\n')
    expect((await here.send('POST', '/password')).text).toBe('Changed.\n')
    expect((await nobody.send('POST', '/password')).status).toBe(401)
    child.kill()
  })

  test('away.mjs: a Redis that hangs is a 503 with a word for users, and nobody is logged out', async () => {
    const { url, child } = await reader.start('away.mjs', env)
    const [ada, nobody] = [new Browser(url), new Browser(url)]
    await ada.send('POST', '/login/ada')
    expect((await nobody.send('GET', '/ready')).status).toBe(200)
    process.kill(redis.pid, 'SIGSTOP')
    const away = await ada.send('GET', '/')
    const ready = await nobody.send('GET', '/ready')
    const anonymous = await nobody.send('GET', '/')
    process.kill(redis.pid, 'SIGCONT')
    expect(away).toMatchObject({ status: 503, text: expect.stringContaining('Please try again') })
    expect(away.headers.get('retry-after')).toBe('2')
    expect(away.headers.getSetCookie()).toEqual([])
    expect(ready.status).toBe(503)
    expect(anonymous.text).toBe('Not logged in.\n')
    let again = await ada.send('GET', '/')
    while (again.status === 503) again = await ada.send('GET', '/')
    expect(again.text).toMatch(/^ada, visit/)
    child.kill()
  })

  test('production.mjs: is all of them in one application, and ends by itself at SIGTERM', async () => {
    const { url, child } = await reader.start('production.mjs', env)
    const ada = new Browser(url)
    await ada.send('POST', '/login/ada')
    expect((await ada.send('GET', '/ready')).status).toBe(200)
    expect((await ada.send('GET', '/account/sessions')).status).toBe(200)
    const nobody = new Browser(url)
    expect(await nobody.send('POST', '/password')).toMatchObject({ status: 401, text: 'this needs a fresh login\n' })
    expect(await nobody.send('GET', '/account/sessions')).toMatchObject({
      status: 401,
      text: 'you are not logged in\n',
    })
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })

  test('with the lines of node-redis for the client, it works, and nothing is warned of', async () => {
    const [before, , after] = example(README, 'run', 'app.mjs').split(
      /(?<=\n)(export const client[\s\S]+?client\.on.+\n)/,
    )
    const imports = String(before).replace('connectRedis, ', '')
    const warn = "sessions.store.on('warning', ({ code }) => console.error(code))\n"
    reader.write({ 'with-node-redis.mjs': `${imports}${example(README, 'run', 'node-redis.mjs')}${after}${warn}` })
    const program = await reader.start('with-node-redis.mjs', env)
    const ada = new Browser(program.url)
    await ada.send('POST', '/login/ada')
    expect((await ada.send('GET', '/')).text).toBe('ada, visit 1\n')
    expect(program.log).toBe('')
    program.child.kill()
  })
})

describe('coming from another store', () => {
  /** What the page shows before and after the change. */
  function sidesOf(name: string): Record<'before' | 'after', string> {
    const lines = example(README, 'diff', name).split('\n')
    const side = (other: string) =>
      lines
        .filter((line) => !line.startsWith(other))
        .map((line) => line.slice(1))
        .join('\n')
    return { before: side('+'), after: side('-') }
  }
  const ROUTES = `
app.post('/login', (req, res) => { req.session.userId = 'ada'; res.end() })
app.get('/', (req, res) => res.send(req.session.userId ?? 'nobody'))
app.listen(process.env.PORT)\n`

  test('connect-redis: whoever was logged in still is', async () => {
    const { before, after } = sidesOf('connect-redis')
    reader.write({ 'before.mjs': before + ROUTES, 'after.mjs': after + ROUTES })
    const old = await reader.start('before.mjs', env)
    const ada = new Browser(old.url)
    await ada.send('POST', '/login')
    old.child.kill()
    const next = await reader.start('after.mjs', env)
    const still = new Browser(next.url)
    still.cookie = ada.cookie
    expect((await still.send('GET', '/')).text).toBe('ada')
    expect(next.log).toBe('')
    next.child.kill()
  })

  test('MemoryStore: users survive a restart from now on, and did not before', async () => {
    const { before, after } = sidesOf('memory-store')
    reader.write({ 'before.mjs': before + ROUTES, 'after.mjs': after + ROUTES })
    const left: string[] = []
    for (const file of ['before.mjs', 'after.mjs']) {
      const first = await reader.start(file, env)
      const ada = new Browser(first.url)
      await ada.send('POST', '/login')
      first.child.kill()
      const second = await reader.start(file, env)
      const again = new Browser(second.url)
      again.cookie = ada.cookie
      left.push((await again.send('GET', '/')).text)
      second.child.kill()
    }
    expect(left).toEqual(['nobody', 'ada'])
  })
})

describe('the page', () => {
  test('can be read in one sitting', () => {
    const lines = readme.trimEnd().split('\n').length
    expect(lines).toBeGreaterThanOrEqual(200)
    expect(lines).toBeLessThanOrEqual(250)
  })

  test('leaves no block of code to trust: each is run here, or by the test of doctor', () => {
    const source = ['readme', 'doctor'].map((name) => readFileSync(`test/docs/${name}.test.ts`, 'utf8')).join('')
    const examples = examplesOf(README)
    for (const { name } of examples) expect(source).toContain(`'${name}'`)
    const blocks = readme.match(/^```(js|ts|diff|console)$/gm) ?? []
    expect(examples).toHaveLength(blocks.length)
  })

  test('imports in each block what the block uses, and listens to errors of each client', () => {
    for (const { kind, name, code } of examplesOf(README)) {
      if (kind === 'transcript') continue
      expect([name, /^[ +]?import /m.test(code)]).toEqual([name, true])
      const makes = /(?:connectRedis|createClient)\(/.test(code)
      expect([name, !makes || /client\.on\('error'/.test(code)]).toEqual([name, true])
    }
  })

  test('names the user of a session in one way: with two, blocks that are put together would look in the wrong place', () => {
    expect(readme).toMatch(/session\.userId/)
    expect(readme).not.toMatch(/session\.user\b/)
  })

  test('introduces each secret and each file before it is used', () => {
    for (const name of readme.matchAll(/process\.env\.(\w+_SECRET)/g)) {
      expect(readme.slice(0, name.index)).toMatch(new RegExp(`^export .*${name[1]}=`, 'm'))
    }
    for (const [, file = ''] of readme.matchAll(/from '\.\/(.+?)'/g)) {
      expect(readme.indexOf(`<!-- run: ${file} -->`)).toBeLessThan(readme.indexOf(`from './${file}'`))
    }
  })
})
