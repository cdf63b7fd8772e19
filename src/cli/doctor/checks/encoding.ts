import { isOlder } from '../../../redis/permissions/acl.js'
import { type Facts, numberOf, versionOf } from '../facts.js'
import { type Finding, findingsOf, NO_CONFIG } from '../finding.js'

/** Maximum length of a bookkeeping field (docs/storage.md). */
const VALUE_BYTES = 64
/** Enough for the bookkeeping fields and about twenty properties. */
const ENTRIES = 32

/** Checks the limits of the compact encoding. A hash above one of them takes twice the memory. */
export function checkEncoding(facts: Facts): Finding[] {
  const { ok, unknown, warning } = findingsOf('encoding')
  const { config } = facts
  if (config === undefined) return [unknown(NO_CONFIG)]
  const kind = isOlder(versionOf(facts) ?? [7, 0], [7, 0]) ? 'ziplist' : 'listpack'
  const limits = [
    { name: `hash-max-${kind}-value`, least: VALUE_BYTES, good: VALUE_BYTES },
    { name: `hash-max-${kind}-entries`, least: ENTRIES, good: 128 },
  ]
  const found = limits.flatMap(({ name, least, good }) => {
    const is = numberOf(config, name)
    if (is === undefined || is >= least) return []
    return [
      warning(
        `${name} is ${is}`,
        'Sessions do not fit the compact form of a hash, and take about twice the memory.',
        `CONFIG SET ${name} ${good}`,
      ),
    ]
  })
  if (found.length > 0) return found
  return [ok(limits.map(({ name }) => `${name} ${config[name] ?? 'unknown'}`).join(', '))]
}
