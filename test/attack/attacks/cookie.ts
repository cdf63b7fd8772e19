import { createHmac } from 'node:crypto'
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sign } from 'cookie-signature'
import { type Attack, OWASP, verdict } from '../attack.js'
import { Browser, HOME, mustBe, NEIGHBOUR } from '../browser.js'
import { EVERY, forged, idIn, neighbourOf, type Target, victimOf } from '../targets.js'

const PLAIN = 'plain express-session with MemoryStore'

/** The first of these cookies that opens the victim's account; the site has to stay up with all of them. */
async function anyOpens(target: Target, cookies: Iterable<string>): Promise<boolean> {
  const { ada } = target.accounts
  const attacker = neighbourOf(target)
  for (const cookie of cookies) {
    if (await attacker.seesSecretOf(ada, { cookie })) return true
    // What comes back must not be of use either.
    if (await attacker.seesSecretOf(ada)) return true
  }
  return false
}

export const cookie: Attack[] = [
  {
    // The attacker knows the victim's id, from a log, say, but not the secret: they send it in every form that a
    // careless check lets pass.
    name: 'a session cookie without a valid signature',
    source: 'CWE-565, CWE-347; OWASP ASVS 5.0, 7.2.2',
    async run(target) {
      const { ada } = target.accounts
      const [victim, attacker] = [victimOf(target), neighbourOf(target)]
      await victim.logIn(ada)
      await attacker.logIn(target.accounts.eve)
      const [id, name, own] = [idIn(victim, target), target.cookieName, idIn(attacker, target)]
      const ownSignature = sign(own, target.secret).slice(own.length)
      const signatures = ['', '.', ownSignature, sign(id, 'keyboard cat').slice(id.length), `.${'A'.repeat(43)}`]
      const unsigned = signatures.flatMap((signature) => [`s:${id}${signature}`, `${id}${signature}`, `j:"${id}"`])
      const odd = [`s:${id}\r\n`, `s:${id}\0`, `s:${own}.${id}${ownSignature}`, `s:${'x'.repeat(10_000)}`, 's:%', '%']
      const ofOthers = createHmac('sha256', '').update(id).digest('base64').replace(/=+$/, '')
      const values = [...unsigned, ...odd, `s:${id}.${ofOthers}`].map((value) => `${name}=${encodeURIComponent(value)}`)
      const twice = [`${name}=${id}; ${attacker.cookiesFor()}`, `${attacker.cookiesFor()}; ${name}=${id}`]
      const opens = await anyOpens(target, [
        ...values,
        ...twice,
        `${name}=%`,
        `${name}=s%3A${id}%`,
        `${name}="s:${id}."`,
      ])
      await victim.mustSeeSecretOf(ada)
      return verdict(opens)
    },
    succeedsAgainst: 'express-session behind unsigned cookies',
  },
  {
    // The secret has leaked, so the attacker can sign anything; but they know no id.
    name: 'patterns and control characters in place of an id',
    source: 'CVE-2015-3982 (Django); CWE-20, CWE-93',
    async run(target) {
      const { ada } = target.accounts
      const victim = victimOf(target)
      await victim.logIn(ada)
      const ids = [
        '*',
        '?'.repeat(32),
        '[!x]*',
        '{a}',
        '../',
        '',
        '\r\nGET *',
        '\0',
        '__proto__',
        'constructor',
        'é',
        '*'.repeat(10_000),
      ]
      const opens = await anyOpens(
        target,
        ids.map((id) => forged(target, id)),
      )
      await victim.mustSeeSecretOf(ada)
      return verdict(opens)
    },
    succeedsAgainst: 'a store that looks ids up by pattern',
  },
  {
    // The attacker makes the victim's browser ask for a page over plain HTTP, and listens on the way.
    name: 'listening to the cookie over plain HTTP',
    source: 'OWASP ASVS 5.0, 3.3.1; Firesheep (2010)',
    async run(target) {
      const { ada } = target.accounts
      const victim = victimOf(target)
      await victim.logIn(ada)
      const heard = victim.cookiesFor({ isPlainHttp: true })
      await victim.get('/', { isPlainHttp: true })
      await victim.mustSeeSecretOf(ada)
      return verdict(heard !== '' && (await neighbourOf(target).seesSecretOf(ada, { cookie: heard })))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // The victim types the address without https, and logs in: whatever the site answers can be read on the way.
    name: 'listening to a login over plain HTTP',
    source: 'OWASP ASVS 5.0, 3.3.1',
    async run(target) {
      const { ada } = target.accounts
      const victim = victimOf(target)
      const body = { name: ada.name, password: ada.password }
      const answer = await victim.post('/login', { isPlainHttp: true, body })
      const heard = setCookiesOf(answer.headers).map((header) => header.split(';')[0])
      await victim.logIn(ada)
      return verdict(heard.length > 0 && (await neighbourOf(target).seesSecretOf(ada, { cookie: heard.join('; ') })))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // A form on another site makes the victim's browser send a request with its cookie.
    name: 'the sensitive action by a form on another site',
    source: 'CWE-352; OWASP ASVS 5.0, 3.3.2',
    async run(target) {
      const { ada } = target.accounts
      const victim = victimOf(target)
      await victim.logIn(ada)
      const hasActed = await victim.transfersFrom(ada, 'eve', { isCrossSite: true })
      await victim.mustSeeSecretOf(ada)
      return verdict(hasActed)
    },
    succeedsAgainst: PLAIN,
  },
  {
    // A page meant for a CDN comes with the cookie of the first visitor: the cache hands it out to all later ones.
    name: 'the session cookie out of a shared cache',
    source: `${OWASP}#web-content-caching; CWE-524; OWASP ASVS 5.0, 14.3.2`,
    async run(target) {
      const { ada } = target.accounts
      const cache = await sharedCache(target)
      try {
        const [victim, attacker] = [
          new Browser(target, HOME, cache.server),
          new Browser(target, NEIGHBOUR, cache.server),
        ]
        await victim.logIn(ada)
        await target.pass(EVERY)
        mustBe((await victim.get('/news')).text === 'news', 'no page through the cache')
        mustBe((await attacker.get('/news')).text === 'news', 'no page through the cache')
        const hasSeen = await attacker.seesSecretOf(ada)
        await victim.mustSeeSecretOf(ada)
        return verdict(hasSeen)
      } finally {
        cache.close()
      }
    },
    secure: () => ({ cookie: { maxAge: 1_500_000 } }),
    succeedsAgainst: PLAIN,
    weak: { rolling: true, cookie: { maxAge: 1_500_000 } },
  },
]

function setCookiesOf(headers: Record<string, unknown>): string[] {
  return (headers['set-cookie'] as string[] | undefined) ?? []
}

/** Keeps what a response allows it to keep, and pays no heed to cookies. */
async function sharedCache(target: Target) {
  const kept = new Map<string, { status: number; headers: IncomingHttpHeaders; body: Buffer }>()
  const { port } = target.server.address() as AddressInfo
  const server = createServer((req, res) => {
    const known = req.method === 'GET' ? kept.get(String(req.url)) : undefined
    if (known !== undefined) return void res.writeHead(known.status, known.headers).end(known.body)
    const passed = httpRequest({ port, method: req.method, path: req.url, headers: req.headers }, (answer) => {
      const { headers, statusCode: status = 502 } = answer
      const chunks: Buffer[] = []
      answer.on('data', (chunk) => chunks.push(chunk))
      answer.on('end', () => {
        const body = Buffer.concat(chunks)
        const isToKeep = req.method === 'GET' && /^public, max-age=\d/.test(String(headers['cache-control']))
        if (isToKeep) kept.set(String(req.url), { status, headers, body })
        res.writeHead(status, headers).end(body)
      })
    })
    req.pipe(passed)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, resolve)
  })
  server.unref()
  return {
    server,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
