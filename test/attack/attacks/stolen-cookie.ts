import { type Attack, OWASP, verdict } from '../attack.js'
import { ABROAD, OTHER_BROWSER } from '../browser.js'
import { EVERY, GRACE, neighbourOf, strangerOf, type Target, victimOf } from '../targets.js'

const PLAIN = 'plain express-session with MemoryStore'

async function loggedIn(target: Target) {
  const victim = victimOf(target)
  await victim.logIn(target.accounts.ada)
  return victim
}

/** The victim's id has been renewed, and their browser has come with the new one. The thief has the id before. */
async function renewed(target: Target) {
  const { ada } = target.accounts
  const victim = await loggedIn(target)
  const thief = neighbourOf(target).copyFrom(victim)
  await target.pass(EVERY)
  await victim.mustSeeSecretOf(ada)
  await victim.mustSeeSecretOf(ada)
  return { victim, thief, ada }
}

export const stolenCookie: Attack[] = [
  {
    // The thief uses the cookie in another country, in another browser.
    name: 'a stolen cookie in another network and another browser',
    source: `${OWASP}#binding-the-session-id-to-other-user-properties`,
    async run(target) {
      const thief = strangerOf(target, ABROAD).copyFrom(await loggedIn(target))
      return verdict((await thief.seesSecretOf(target.accounts.ada)) || (await thief.seesSecretOf(target.accounts.ada)))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // The thief also claims the victim's address where proxies write addresses down; the site's own proxy appends the
    // true one.
    name: 'a stolen cookie with forged X-Forwarded-For',
    source: 'CWE-348; OWASP ASVS 5.0, 4.1.3',
    async run(target) {
      const { ada } = target.accounts
      const victim = await loggedIn(target)
      const claims = ['203.0.113.7', '203.0.113.7, 203.0.113.7', '::ffff:203.0.113.7', '203.0.113.7, 127.0.0.1', ',']
      for (const forwardedFor of claims) {
        const thief = strangerOf(target, ABROAD).copyFrom(victim)
        if (await thief.seesSecretOf(ada, { forwardedFor })) return 'succeeded'
        // A session that was ended cannot be stolen, so the next claim needs a new one.
        if (!(await victim.seesSecretOf(ada))) await victim.logIn(ada)
      }
      return 'failed'
    },
    succeedsAgainst: 'sessions bound to the left-most X-Forwarded-For',
  },
  {
    // A thief in the victim's own network, but with another browser, may look, but must not act.
    name: 'the sensitive action with a stolen cookie in another browser',
    source: 'OWASP ASVS 5.0, 7.5.1 and 7.5.3',
    async run(target) {
      const { ada } = target.accounts
      const victim = await loggedIn(target)
      const thief = strangerOf(target, OTHER_BROWSER).copyFrom(victim)
      const attempts = [thief, thief, strangerOf(target, OTHER_BROWSER).copyFrom(victim)]
      for (const attempt of attempts) if (await attempt.transfersFrom(ada, 'eve')) return 'succeeded'
      await victim.logIn(ada)
      return 'failed'
    },
    succeedsAgainst: PLAIN,
  },
  {
    // The thief makes the session forget that its login is stale: by a property of the name under which that is kept.
    name: 'the sensitive action after a property named @login',
    source: 'CWE-915, improperly controlled modification of dynamically-determined object attributes',
    async run(target) {
      const { ada } = target.accounts
      const victim = await loggedIn(target)
      for (let i = 0; i < 5; i++) {
        await target.pass(EVERY)
        await victim.mustSeeSecretOf(ada)
      }
      const thief = neighbourOf(target).copyFrom(victim)
      if (await thief.transfersFrom(ada, 'eve')) return 'succeeded'
      for (const name of ['@login', '@@login', '@', '@renew', '@ua']) {
        for (const value of [Date.now(), Date.now().toString(36)]) {
          await thief.post('/setting', { body: { name, value } })
          if (await thief.transfersFrom(ada, 'eve')) return 'succeeded'
        }
      }
      await thief.mustSeeSecretOf(ada)
      return 'failed'
    },
    succeedsAgainst: 'a naive hash store',
  },
  {
    // A cookie that was stolen a while ago turns up in a log, a backup, a HAR file.
    name: 'replay of an id that has been renewed',
    source: `${OWASP}#renewal-timeout; RFC 9700, 4.14.2`,
    async run(target) {
      const { victim, thief, ada } = await renewed(target)
      await target.pass(GRACE)
      const hasSeen = await thief.seesSecretOf(ada)
      if (!hasSeen) await victim.logIn(ada)
      return verdict(hasSeen || (await thief.seesSecretOf(ada)))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // The thief's id is older still: the victim's browser has just been given the id after the next one.
    name: 'replay of the id before the one that was renewed',
    source: `${OWASP}#renewal-timeout; RFC 9700, 4.14.2`,
    async run(target) {
      const { victim, thief, ada } = await renewed(target)
      await target.pass(EVERY)
      await victim.mustSeeSecretOf(ada)
      const hasSeen = await thief.seesSecretOf(ada)
      if (!hasSeen) await victim.logIn(ada)
      return verdict(hasSeen || (await thief.seesSecretOf(ada)))
    },
    succeedsAgainst: PLAIN,
  },
  renewedAMomentAgo('the sensitive action, or a lasting cookie, with an id that was renewed a moment ago', undefined),
  renewedAMomentAgo(
    'a lasting cookie with an id that was renewed a moment ago, from responses that all set it',
    1_500_000,
  ),
  {
    // The thief comes first, is given the next id, and so is the one who is in. Once the owner is back, the thief must
    // be out.
    name: 'staying in with the next id after the owner has come back',
    source: 'RFC 9700, 4.14.2: it cannot be told which of the two is the thief, so both have to log in',
    async run(target) {
      const { ada } = target.accounts
      const victim = await loggedIn(target)
      const thief = neighbourOf(target).copyFrom(victim)
      await target.pass(EVERY)
      await thief.get('/')
      await thief.get('/')
      await target.pass(GRACE)
      await victim.get('/')
      return verdict(await thief.seesSecretOf(ada))
    },
    succeedsAgainst: PLAIN,
  },
]

/** Within the grace the id before is served. The thief tries to act, and to get a cookie that lasts. */
function renewedAMomentAgo(name: string, maxAge: number | undefined): Attack {
  const cookie = maxAge === undefined ? {} : { maxAge }
  return {
    name,
    source: 'OWASP ASVS 5.0, 7.5.1',
    async run(target) {
      const { victim, thief, ada } = await renewed(target)
      const stolen = thief.cookiesFor()
      const hasActed = await thief.transfersFrom(ada, 'eve')
      for (const path of ['/', '/news', '/profile']) await thief.get(path)
      await thief.post('/note', { body: { text: 'x' } })
      await victim.mustSeeSecretOf(ada)
      if (thief.cookiesFor() === stolen) await target.pass(GRACE)
      return verdict(hasActed || (await thief.seesSecretOf(ada)))
    },
    secure: () => ({ cookie }),
    succeedsAgainst: PLAIN,
    weak: { rolling: maxAge !== undefined, cookie },
  }
}
