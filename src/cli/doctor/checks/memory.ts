import { type Facts, numberOf } from '../facts.js'
import { type Finding, findingsOf, NO_INFO } from '../finding.js'

const FULL = 0.95
const FILLING = 0.8
const SET_POLICY = 'CONFIG SET maxmemory-policy noeviction'

export function checkEviction({ info, config }: Facts): Finding[] {
  const { ok, problem, unknown, warning } = findingsOf('eviction')
  const policy = config?.['maxmemory-policy'] ?? info?.maxmemory_policy
  if (policy === undefined) return [unknown(NO_INFO)]
  const limit = numberOf(config, 'maxmemory') ?? numberOf(info, 'maxmemory')
  const evicted = numberOf(info, 'evicted_keys') ?? 0
  const found: Finding[] = []
  if (policy.startsWith('allkeys-') || policy === 'volatile-random') {
    // Without a limit nothing is evicted until somebody sets one.
    const say = limit === 0 ? warning : problem
    found.push(
      say(
        `maxmemory-policy is ${policy}`,
        `${limit === 0 ? 'Once maxmemory is set and reached' : 'When memory is full'}, Redis deletes sessions to make room: visitors are logged out, and lists of a user's sessions lose entries.`,
        SET_POLICY,
      ),
    )
  } else if (policy === 'volatile-lru' || policy === 'volatile-lfu') {
    found.push(
      warning(
        `maxmemory-policy is ${policy}`,
        'Every session has a TTL, so that is what this policy deletes to make room, the rarely used first, indexes among them.',
        [SET_POLICY, 'or, to lose those that end soonest: CONFIG SET maxmemory-policy volatile-ttl'],
      ),
    )
  } else {
    found.push(ok(`maxmemory-policy is ${policy}`))
  }
  if (evicted > 0 && policy !== 'noeviction') {
    found.push(
      warning(
        `${evicted} keys have been evicted since Redis started`,
        'If sessions were among them, their visitors were logged out.',
        'Give it more memory: CONFIG SET maxmemory <bytes>',
      ),
    )
  }
  return found
}

export function checkMemory({ info, config }: Facts): Finding[] {
  const { note, ok, problem, unknown, warning } = findingsOf('memory')
  const used = numberOf(info, 'used_memory')
  const limit = numberOf(info, 'maxmemory') ?? numberOf(config, 'maxmemory')
  if (used === undefined || limit === undefined) return [unknown(NO_INFO)]
  if (limit === 0) {
    const machine = numberOf(info, 'total_system_memory')
    if (machine !== undefined && used / machine > FILLING) {
      return [
        problem(
          `Redis takes ${megabytes(used)} of the machine's ${megabytes(machine)}, and maxmemory sets no limit`,
          'When nothing is left, the system kills Redis, and every request with a session fails.',
          'A bigger machine; then CONFIG SET maxmemory <bytes>, some way below what it has',
        ),
      ]
    }
    return [note(`${megabytes(used)} used, maxmemory sets no limit: watch that it does not fill the machine`)]
  }
  const share = used / limit
  const what = `${megabytes(used)} of ${megabytes(limit)} (maxmemory) used, ${Math.round(100 * share)} %`
  const change = 'CONFIG SET maxmemory <bytes>, or shorter timeouts (ttl), or smaller sessions (maxBytes)'
  const consequence =
    'When it is reached, saving fails with ERR_SESSION_OUT_OF_MEMORY (status 503), or sessions are evicted, as the policy says.'
  if (share >= FULL) return [problem(what, consequence, change)]
  return [share >= FILLING ? warning(what, consequence, change) : ok(what)]
}

/** Redis, too, counts in powers of 1024. */
function megabytes(bytes: number): string {
  const [unit, size] = bytes >= 2 ** 30 ? ['GB', 2 ** 30] : ['MB', 2 ** 20]
  return `${(bytes / (size as number)).toFixed(1)} ${unit}`
}
