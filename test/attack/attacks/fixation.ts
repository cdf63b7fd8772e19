import { type Attack, OWASP, verdict, WSTG } from '../attack.js'
import { Browser, NEIGHBOUR } from '../browser.js'
import { forged, neighbourOf, type Target, victimOf } from '../targets.js'

const PLAIN = 'plain express-session with MemoryStore'

/** The attacker opens the site, and puts their cookie into the victim's browser, at the keyboard, say. */
async function planted(target: Target) {
  const [attacker, victim] = [neighbourOf(target), victimOf(target)]
  await attacker.get('/')
  victim.copyFrom(attacker)
  return { attacker, victim, kept: new Browser(target, NEIGHBOUR).copyFrom(attacker) }
}

export const fixation: Attack[] = [
  {
    // The victim logs in with an id that the attacker knows; both would be logged in.
    name: 'session fixation',
    source: `${WSTG}/06-Session_Management_Testing/03-Testing_for_Session_Fixation`,
    async run(target) {
      const { attacker, victim } = await planted(target)
      await victim.logIn(target.accounts.ada)
      return verdict(await attacker.seesSecretOf(target.accounts.ada))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // The attacker's request is under way with the planted id while the victim logs in: it may be served with the
    // new session, be given the new cookie, or bring the planted id back when it is saved.
    name: 'session fixation with a request in flight during the login',
    source: 'CWE-384; CVE-2022-25896 (Passport before 0.6)',
    async run(target) {
      const { ada } = target.accounts
      const { attacker, victim, kept } = await planted(target)
      const [slow, writing] = [target.hold('slow'), target.hold('writing')]
      const read = attacker.get('/profile?hold=slow')
      const written = attacker.post('/note?hold=writing', { body: { text: 'late' } })
      await Promise.all([slow.reached, writing.reached])
      await victim.logIn(ada)
      slow.open()
      const hasSeen = [(await read).text.includes(ada.secret)]
      for (const browser of [attacker, kept]) hasSeen.push(await browser.seesSecretOf(ada))
      writing.open()
      await written
      for (const browser of [attacker, kept]) hasSeen.push(await browser.seesSecretOf(ada))
      return verdict(hasSeen.includes(true))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // The login itself is slow: while it is under way, with the user on the session already or not, the attacker asks.
    name: 'session fixation with requests all through a slow login',
    source: OWASP,
    async run(target) {
      const { ada } = target.accounts
      const { attacker, victim, kept } = await planted(target)
      const slow = target.hold('login')
      const login = victim.post('/login?hold=login', { body: { name: ada.name, password: ada.password } })
      await slow.reached
      await attacker.get('/')
      await attacker.post('/note', { body: { text: 'mine' } })
      slow.open()
      const polled = [attacker, kept, attacker, kept].map((browser) => browser.seesSecretOf(ada))
      await login
      await victim.mustSeeSecretOf(ada)
      const hasSeen = [...(await Promise.all(polled)), await attacker.seesSecretOf(ada), await kept.seesSecretOf(ada)]
      return verdict(hasSeen.includes(true))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // The id names no session, but its signature is right: the session has long gone, or the secret has leaked.
    // express-session itself makes a new id then, if the store says that there is no session.
    name: 'session fixation with an unknown id under a valid signature',
    source: `${OWASP}#session-id-generation-and-verification-permissive-and-strict-session-management`,
    async run(target) {
      const [attacker, victim] = [neighbourOf(target), victimOf(target)]
      const pair = forged(target, 'A'.repeat(43))
      victim.keep(`${pair}; Path=/; Secure`)
      attacker.keep(`${pair}; Path=/; Secure`)
      await victim.logIn(target.accounts.ada)
      return verdict(await attacker.seesSecretOf(target.accounts.ada))
    },
    succeedsAgainst: 'a naive hash store',
  },
  {
    // A cookie for the whole domain, set by a subdomain that the attacker controls, comes along with the site's own, and
    // first. The victim works in the attacker's account without noticing (login CSRF).
    name: 'a cookie tossed from a subdomain',
    source: 'https://datatracker.ietf.org/doc/html/rfc6265#section-8.6; CVE-2018-1000119',
    async run(target) {
      const { ada, eve } = target.accounts
      const [attacker, victim] = [neighbourOf(target), victimOf(target)]
      await victim.logIn(ada)
      await attacker.logIn(eve)
      for (const [name, { value }] of attacker.jar) victim.keep(`${name}=${value}; Path=/; Domain=bank.example; Secure`)
      await victim.post('/note', { body: { text: ada.secret } })
      return verdict((await attacker.get('/note')).text.includes(ada.secret))
    },
    succeedsAgainst: PLAIN,
  },
]
