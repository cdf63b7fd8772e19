import type { SecureSessionOptions } from 'connect-redis-hash'
import type { Target, WeakOptions, WeakTarget } from './targets.js'

export type Verdict = 'succeeded' | 'failed'

/**
 * `run` plays attacker and victim. 'succeeded' needs evidence: the attacker has seen the victim's secret, or money has
 * moved. It throws where the victim's own part does not work: a site that is down is not secure.
 */
export interface Attack {
  name: string
  /** The standard, advisory or article that describes it. */
  source: string
  run(target: Target): Promise<Verdict>
  /** Options of `secureSession` besides its defaults. */
  secure?: () => Partial<SecureSessionOptions>
  /** A site on which it has to succeed; otherwise its failure would say nothing. */
  succeedsAgainst: WeakTarget
  weak?: WeakOptions
}

export const verdict = (hasSucceeded: boolean): Verdict => (hasSucceeded ? 'succeeded' : 'failed')

/** The Session Management Cheat Sheet. */
export const OWASP = 'https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html'
export const WSTG = 'https://owasp.org/www-project-web-security-testing-guide/v42/4-Web_Application_Security_Testing'
