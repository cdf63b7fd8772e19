import type { SecureSessionOptions } from 'connect-redis-hash'
import type { Response } from 'supertest'
import { boundValue } from '../../../src/middleware/device/bound-cookie.js'
import { Device } from '../../support/device.js'
import { challengeIn, DEVICE_PATH } from '../../support/device-browser.js'
import { type Attack, type Verdict, verdict } from '../attack.js'
import type { Browser } from '../browser.js'
import { mustBe } from '../browser.js'
import { neighbourOf, type Target, victimOf } from '../targets.js'

const BOUND = '__Host-device'
/** Seconds after which no bound cookie counts that was there before: its life, and the grace. */
const LIFE = 611

const SOURCE = 'W3C Device Bound Session Credentials, "Introduction"; MITRE ATT&CK T1539'
const WITHOUT = 'secureSession without the option device'

/** The owner's browser, which registers and refreshes where the site asks for it, and all that it has sent for that. */
class Owner {
  readonly browser: Browser
  readonly sent: Record<string, string>[] = []
  readonly #device = new Device()
  readonly #target: Target
  #id: string | undefined

  constructor(target: Target) {
    this.#target = target
    this.browser = victimOf(target)
  }

  async logIn(): Promise<void> {
    const { name, password, secret } = this.#target.accounts.ada
    const response = await this.browser.post('/login', { body: { name, password } })
    const [, challenge] = /challenge="(.*?)"/.exec(response.get('Secure-Session-Registration')?.toString() ?? '') ?? []
    if (challenge !== undefined) {
      const registered = await this.#post({ 'Secure-Session-Response': this.#device.registration(challenge) })
      mustBe(registered.status === 200, `no browser can register: ${registered.status}`)
      this.#id = registered.body.session_identifier
    }
    await this.browser.mustSeeSecretOf({ name, password, secret })
  }

  /** As a browser does before a request without the bound cookie. */
  async refresh(): Promise<void> {
    if (this.#id === undefined) return
    const id = { 'Sec-Secure-Session-Id': `"${this.#id}"` }
    const challenge = challengeIn(await this.#post(id)) ?? ''
    const proven = await this.#post({ ...id, 'Secure-Session-Response': this.#device.proof(challenge) })
    mustBe(proven.status === 200, `no browser can refresh: ${proven.status}`)
  }

  /** Later, a copy of the jar is as old, but only the owner gets another cookie. */
  async later(thief: Browser): Promise<void> {
    const { client, keys } = this.#target.redis
    await this.#target.pass(LIFE)
    for (const key of await keys()) {
      const [secret] = ((await client.hget(key, '@db')) ?? '').split(' ')
      for (const { jar } of [this.browser, thief]) {
        const cookie = jar.get(BOUND)
        if (!secret || cookie === undefined) continue
        const issued = Number.parseInt(cookie.value.split('.')[0] as string, 36)
        jar.set(BOUND, { ...cookie, value: boundValue(secret, issued - LIFE * 1000) })
      }
    }
    await this.refresh()
    await this.browser.mustSeeSecretOf(this.#target.accounts.ada)
  }

  #post(headers: Record<string, string>): Promise<Response> {
    this.sent.push(headers)
    return this.browser.post(DEVICE_PATH, { headers })
  }
}

/** What a thief tries before, and whether they are in after the bound cookie's life. The owner must not notice. */
async function theft(
  target: Target,
  take: (thief: Browser, owner: Owner) => void,
  attempt: (thief: Browser, owner: Owner) => Promise<unknown> = async () => undefined,
): Promise<Verdict> {
  const { ada } = target.accounts
  const owner = new Owner(target)
  await owner.logIn()
  const thief = neighbourOf(target)
  take(thief, owner)
  await attempt(thief, owner)
  await owner.later(thief)
  await attempt(thief, owner)
  const isIn = await thief.seesSecretOf(ada)
  await owner.browser.mustSeeSecretOf(ada)
  return verdict(isIn || (await thief.transfersFrom(ada, 'eve')))
}

const wholeJar = (thief: Browser, { browser }: Owner) => void thief.copyFrom(browser)

const attackBy = (name: string, run: Attack['run']): Attack => ({
  name,
  source: SOURCE,
  run,
  secure: () => ({ device: true }) as Partial<SecureSessionOptions>,
  succeedsAgainst: WITHOUT,
})

export const device: Attack[] = [
  // The thief sits in the same network, with the same browser: nothing but the key tells them from the owner.
  attackBy('a stolen jar beside its owner, ten minutes later', (target) => theft(target, wholeJar)),
  attackBy('a stolen session cookie alone, ten minutes later', (target) =>
    theft(target, (thief, owner) => {
      thief.copyFrom(owner.browser)
      thief.jar.delete(BOUND)
    }),
  ),
  attackBy('a stolen jar whose thief refreshes with a key of their own', (target) =>
    theft(target, wholeJar, async (thief, { sent }) => {
      const own = new Device()
      const id = sent.at(-1)?.['Sec-Secure-Session-Id'] ?? '"x"'
      const asked = await thief.post(DEVICE_PATH, { headers: { 'Sec-Secure-Session-Id': id } })
      const challenge = challengeIn(asked) ?? 'x'
      for (const proof of [own.proof(challenge), own.registration(challenge), own.proof(challenge, { alg: 'none' })]) {
        await thief.post(DEVICE_PATH, { headers: { 'Sec-Secure-Session-Id': id, 'Secure-Session-Response': proof } })
        await thief.post(DEVICE_PATH, { headers: { 'Secure-Session-Response': proof } })
      }
    }),
  ),
  attackBy('replay of everything that the owner’s browser has sent to prove its key', (target) =>
    theft(target, wholeJar, async (thief, { sent }) => {
      for (const headers of [...sent, ...sent.toReversed()]) await thief.post(DEVICE_PATH, { headers })
    }),
  ),
  attackBy(
    'a stolen jar whose thief makes the site forget the key: by a property of its name, or another id',
    (target) =>
      theft(target, wholeJar, async (thief) => {
        for (const name of ['@dk', '@db', '@dc', '@@dk']) await thief.post('/setting', { body: { name, value: '' } })
        await thief.get('/')
      }),
  ),
]
