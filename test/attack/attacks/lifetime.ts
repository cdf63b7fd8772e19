import { type Attack, OWASP, verdict } from '../attack.js'
import { neighbourOf, victimOf } from '../targets.js'

const PLAIN = 'plain express-session with MemoryStore'
const MINUTE = 60

export const lifetime: Attack[] = [
  {
    // The victim leaves a browser in a library open; somebody else sits down later.
    name: 'using a session that was left alone for longer than the idle timeout',
    source: `${OWASP}#idle-timeout; OWASP ASVS 5.0, 7.3.1`,
    async run(target) {
      const { ada } = target.accounts
      const browser = victimOf(target)
      await browser.logIn(ada)
      await target.pass(29 * MINUTE)
      await browser.mustSeeSecretOf(ada)
      await target.pass(31 * MINUTE)
      return verdict(await browser.seesSecretOf(ada))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // A thief keeps a stolen session alive for ever: they read, write, log in as themselves and take every renewed id.
    name: 'keeping a session alive beyond the absolute timeout',
    source: `${OWASP}#absolute-timeout; OWASP ASVS 5.0, 7.3.2`,
    async run(target) {
      const { ada } = target.accounts
      const victim = victimOf(target)
      await victim.logIn(ada)
      const thief = neighbourOf(target).copyFrom(victim)
      for (let minutes = 0; minutes < 8 * 60 - 20; minutes += 20) {
        await target.pass(20 * MINUTE)
        await thief.post('/note', { body: { text: String(minutes) } })
        await thief.mustSeeSecretOf(ada)
      }
      await target.pass(21 * MINUTE)
      const hasSeen = await thief.seesSecretOf(ada)
      await victim.logIn(ada)
      return verdict(hasSeen)
    },
    succeedsAgainst: PLAIN,
  },
]
