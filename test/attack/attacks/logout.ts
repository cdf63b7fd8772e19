import { type Attack, OWASP, verdict, WSTG } from '../attack.js'
import { neighbourOf, type Target, victimOf } from '../targets.js'

const PLAIN = 'plain express-session with MemoryStore'

/** The attacker copies the cookie; then the victim logs out. */
async function stolenBeforeLogout(target: Target) {
  const [attacker, victim] = [neighbourOf(target), victimOf(target)]
  await victim.logIn(target.accounts.ada)
  return { attacker: attacker.copyFrom(victim), victim }
}

const isBack = async (target: Target, ...browsers: ReturnType<typeof victimOf>[]) => {
  const seen = []
  for (const browser of browsers) seen.push(await browser.seesSecretOf(target.accounts.ada))
  return verdict(seen.includes(true))
}

export const logout: Attack[] = [
  {
    // The logout takes the cookie out of the browser; an attacker with a copy of it goes on.
    name: 'replay after logout',
    source: `${WSTG}/06-Session_Management_Testing/06-Testing_for_Logout_Functionality`,
    async run(target) {
      const { attacker, victim } = await stolenBeforeLogout(target)
      await victim.logOut()
      return isBack(target, attacker)
    },
    succeedsAgainst: 'a session that is the cookie itself',
  },
  {
    // A request that has loaded the session before the logout saves it after.
    name: 'replay after logout with a slow request that brings the session back',
    source: 'CWE-613; CVE-2025-46336 (Rack::Session::Pool)',
    async run(target) {
      const { attacker, victim } = await stolenBeforeLogout(target)
      const slow = target.hold('slow')
      const late = attacker.post('/note?hold=slow', { body: { text: 'still here' } })
      await slow.reached
      await victim.logOut()
      slow.open()
      await late
      return isBack(target, attacker, victim)
    },
    succeedsAgainst: PLAIN,
  },
  {
    // Many requests save while the logout is under way: before it, at the same time, and after it.
    name: 'logout in the middle of parallel saves',
    source: 'CWE-613, CWE-362; OWASP ASVS 5.0, 15.4.2',
    async run(target) {
      const { attacker, victim } = await stolenBeforeLogout(target)
      const names = Array.from({ length: 11 }, (_, i) => `save-${i}`)
      const gates = names.map((name) => target.hold(name))
      const under = names.map((name, i) =>
        i === 5 ? victim.logOut(`/logout?hold=${name}`) : attacker.post(`/note?hold=${name}`, { body: { text: name } }),
      )
      await Promise.all(gates.map(({ reached }) => reached))
      for (const { open } of gates) open()
      await Promise.all(under)
      return isBack(target, attacker, victim)
    },
    succeedsAgainst: PLAIN,
  },
  {
    // A switch of users leaves a session behind: nobody has logged ada out, but she is no longer there.
    name: 'replay of the session before another user logged in',
    source: OWASP,
    async run(target) {
      const { ada, bob } = target.accounts
      const { attacker, victim } = await stolenBeforeLogout(target)
      await victim.logIn(bob)
      const sees = await Promise.all([ada, bob].map((account) => attacker.seesSecretOf(account)))
      return verdict(sees.includes(true))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // Two people share one browser. The second one finds what the first one has left in the session.
    name: "reading the last user's data after a switch of users",
    source: 'CWE-488, exposure of data element to wrong session',
    async run(target) {
      const { ada, eve } = target.accounts
      const browser = victimOf(target)
      await browser.logIn(ada)
      await browser.post('/note', { body: { text: ada.secret } })
      await browser.logIn(eve)
      return verdict((await browser.get('/note')).text.includes(ada.secret))
    },
    succeedsAgainst: PLAIN,
  },
  {
    // A request of the first user ends after the second user has logged in.
    name: "reading the last user's data, written by a request in flight during the switch",
    source: 'CWE-488, CWE-362',
    async run(target) {
      const { ada, eve } = target.accounts
      const browser = victimOf(target)
      await browser.logIn(ada)
      const slow = target.hold('slow')
      const late = browser.post('/note?hold=slow', { body: { text: ada.secret } })
      await slow.reached
      await browser.logIn(eve)
      slow.open()
      await late
      const hasRead = (await browser.get('/note')).text.includes(ada.secret)
      return verdict(hasRead || (await browser.seesSecretOf(ada)))
    },
    succeedsAgainst: PLAIN,
  },
]
