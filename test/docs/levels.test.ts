import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { requireFreshLogin, rotateSession, type SecureSessionOptions, secureSession } from 'connect-redis-hash'
import express from 'express'
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core'
import { CHROMIUM } from '../support/chromium.js'
import { example } from '../support/markdown.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
const sessions = secureSession({
  client,
  prefix: freshPrefix(),
  secret: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT',
  user: (held: Bag) => held.userId,
  cookie: { secure: false },
} as SecureSessionOptions)

afterAll(async () => {
  await sessions.store.clear()
  await client.quit()
})

function run(name: string, scope: Record<string, unknown>): void {
  new Function(...Object.keys(scope), example('docs/levels.md', 'run', name))(...Object.values(scope))
}

const logIn: express.RequestHandler = (req, res) => {
  ;(req.session as Bag).userId = req.params.user
  res.send('hello')
}

test('docs/levels.md: a code raises the level, and the account leads to it', async () => {
  const app = express().use(sessions as express.RequestHandler)
  const answer = (text: string) => (_req: unknown, res: express.Response) => res.send(text)
  const checkCode: express.RequestHandler = (_req, _res, next) => next()
  const scope = { checkCode, transfer: answer('done'), account: answer('account') }
  run('levels', { app, rotateSession, requireFreshLogin, ...scope })
  app.get('/login/:user', logIn)
  const server = createServer(app).listen(0).unref()
  const visitor = new Visitor(server)
  await visitor.get('/login/ada')
  expect((await visitor.get('/account')).headers.location).toBe('/confirm')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const post = async (path: string) => {
    const init = { method: 'POST', headers: { cookie: visitor.cookie }, redirect: 'manual' } as const
    return fetch(origin + path, init)
  }
  expect((await post('/transfer')).status).toBe(401)
  const confirmed = await post('/confirm')
  visitor.cookie = confirmed.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  expect(await (await post('/transfer')).text()).toBe('done')
  server.closeAllConnections()
  server.close()
})

if (CHROMIUM === undefined) {
  test.skip('docs/levels.md: passkeys in a real browser: skipped, there is no Chromium (set CHROMIUM_PATH)', () => {})
} else {
  describe('docs/levels.md: passkeys in Chromium', () => inChromium(CHROMIUM as string))
}

function inChromium(executablePath: string): void {
  let server: Server
  let browser: Browser
  let page: Page
  let cdp: CDPSession
  let origin: string

  beforeAll(async () => {
    const app = express().use(express.json(), sessions as express.RequestHandler)
    server = createServer(app).listen(0)
    origin = `http://localhost:${(server.address() as AddressInfo).port}`
    const webauthn = {
      generateAuthenticationOptions,
      generateRegistrationOptions,
      verifyAuthenticationResponse,
      verifyRegistrationResponse,
    }
    run('passkeys', { app, rotateSession, requireFreshLogin, ...webauthn, rpID: 'localhost', origin, users: users() })
    app.get('/login/:user', logIn)
    app.get('/level', (req, res) => void res.json([req.sessionLevel, req.sessionMethods]))
    app.get('/vault', requireFreshLogin({ level: 2, within: 60 }) as express.RequestHandler, (_req, res) => {
      res.send('gold')
    })
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  })
  afterAll(async () => {
    await browser?.close()
    server.closeAllConnections()
    server.close()
  })
  beforeEach(async () => {
    page = await (await browser.newContext()).newPage()
    cdp = await page.context().newCDPSession(page)
    await cdp.send('WebAuthn.enable')
    await page.goto(`${origin}/login/ada`)
    await page.addScriptTag({ content: example('docs/levels.md', 'run', 'browser') })
  })
  afterEach(() => page.context().close())

  const addAuthenticator = () =>
    cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
  const call = (name: string) => page.evaluate<number>(`${name}().then(({ status }) => status)`)
  const get = (path: string) => page.evaluate<string>(`fetch('${path}').then((response) => response.text())`)

  test('a passkey that has asked for the user opens what needs level 2', async () => {
    await addAuthenticator()
    expect(await get('/level')).toBe('[1,[]]')
    expect(await get('/vault')).not.toBe('gold')
    expect(await call('addPasskey')).toBe(204)
    expect(await get('/vault')).not.toBe('gold')
    const before = (await page.context().cookies()).find(({ name }) => name === 'sid')?.value
    expect(await call('provePasskey')).toBe(204)
    expect((await page.context().cookies()).find(({ name }) => name === 'sid')?.value).not.toBe(before)
    expect([await get('/level'), await get('/vault')]).toEqual(['[2,["webauthn"]]', 'gold'])
    await page.goto(`${origin}/login/bob`)
    expect(await get('/level')).toBe('[1,[]]')
  })

  test('an answer counts once', async () => {
    await addAuthenticator()
    expect(await call('addPasskey')).toBe(204)
    const statuses = await page.evaluate<number[]>(`(async () => {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await (await post('/passkey/ask')).json())
      const answer = await navigator.credentials.get({ publicKey })
      const [first, second] = [await post('/passkey/prove', answer), await post('/passkey/prove', answer)]
      return [first.status, second.status]
    })()`)
    expect(statuses).toEqual([204, 403])
  })
}

/** The part of an application's database that the recipe uses. */
function users() {
  const passkeys = new Map<string, Bag[]>()
  const passkeysOf = async (user: string) => passkeys.get(user) ?? []
  return {
    passkeysOf,
    addPasskey: async (user: string, passkey: Bag) => passkeys.set(user, [...(await passkeysOf(user)), passkey]),
    usedPasskey: async (id: string, counter: number) => {
      for (const passkey of [...passkeys.values()].flat()) if (passkey.id === id) passkey.counter = counter
    },
  }
}
