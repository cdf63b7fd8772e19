import type { Facts } from '../facts.js'
import { type Finding, findingsOf } from '../finding.js'
import { isLoopback } from '../target.js'

const OPEN = 'anyone who can connect gets in without a password'
const SHUT = [
  'CONFIG SET requirepass <password>',
  'or a user of its own (connect-redis-hash doctor --acl) and one with +@all for yourself, and then: ACL SETUSER default off',
]

export function checkAccess(facts: Facts): Finding[] {
  const { note, ok, unknown, warning } = findingsOf('access')
  const { target, letsAnybodyIn, mayDoAnything, user } = facts
  const found: Finding[] = []
  if (!target.isTls && !target.isLocal) {
    found.push(
      warning(
        `the connection to ${target.host} is not encrypted`,
        'Anyone who can listen on the way reads the password, session ids (unless hashIds is set) and session data.',
        'rediss:// and tls-port in redis.conf, or a network that nobody else is on',
      ),
    )
  }
  if (letsAnybodyIn === undefined) found.push(unknown('whether somebody gets in without a password'))
  else if (letsAnybodyIn) found.push(...withoutPassword(facts))
  else found.push(ok('nobody gets in without a password'))
  // Without logins, all clients have the same user.
  if (mayDoAnything && letsAnybodyIn === false) {
    found.push(
      note(
        `the user ${user ?? ''} may do anything, also FLUSHALL and CONFIG SET. A store needs little: connect-redis-hash doctor --acl`,
      ),
    )
  }
  return found
}

function withoutPassword({ target, config }: Facts): Finding[] {
  const { note, problem, warning } = findingsOf('access')
  const consequence = 'They can read every session, log in as anybody, or delete everything.'
  if (!target.isLocal) return [problem(OPEN, consequence, SHUT)]
  if (config === undefined) {
    return [warning(`${OPEN}; whether from this machine only, this user may not see (CONFIG GET)`, consequence, SHUT)]
  }
  if (config.port === '0' || listensHere(config.bind)) return [note(`${OPEN}, from this machine only`)]
  if (config['protected-mode'] !== 'no') return [note(`${OPEN}, from this machine only (protected-mode yes)`)]
  return [
    problem(`${OPEN}, from any machine (bind ${config.bind || '*'}, protected-mode no)`, consequence, [
      ...SHUT,
      'or CONFIG SET protected-mode yes',
    ]),
  ]
}

/** Whether Redis listens only on addresses of its own machine. */
function listensHere(bind = ''): boolean {
  const addresses = bind.split(' ').filter(Boolean)
  return addresses.length > 0 && addresses.every((address) => isLoopback(address.replace(/^-/, '')))
}
