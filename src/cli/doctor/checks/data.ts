import { type DataFacts, type Facts, numberOf } from '../facts.js'
import { type Finding, findingsOf } from '../finding.js'

/** Looks at what the keys hold. It counts the keys of this server: in a Cluster, those of one master. */
export function checkData(facts: Facts): Finding[] {
  const { note, unknown } = findingsOf('data')
  const { data, prefix } = facts
  if (data === undefined) return [unknown('how many sessions there are: this user may not run SCAN')]
  const found = [counted(facts, data), ...withoutTtl(data, prefix), ...strings(data)]
  if (data.others.length > 0) {
    const names = data.others.join(', ')
    found.push(
      note(`keys under ${names} look like sessions, too`, 'Another store has them, or this one has another prefix.', [
        `connect-redis-hash doctor --prefix ${data.others[0]}`,
      ]),
    )
  }
  return found
}

function counted({ prefix, info, config }: Facts, data: DataFacts): Finding {
  const { note, ok } = findingsOf('data')
  if (data.sessions === 0) return note(`no session under ${prefix}`)
  const size = data.meanBytes === undefined ? '' : ` of ${Math.round(data.meanBytes)} bytes in the mean`
  const what = `${about(data, data.sessions)} session${data.sessions === 1 ? '' : 's'} under ${prefix}${size}`
  const limit = numberOf(info, 'maxmemory') ?? numberOf(config, 'maxmemory') ?? 0
  const used = numberOf(info, 'used_memory')
  if (limit === 0 || used === undefined || data.meanBytes === undefined) return ok(what)
  // Two significant digits: the rest of what Redis keeps grows, too.
  const room = Number((Math.max(0, limit - used) / data.meanBytes).toPrecision(2))
  return ok(`${what}; room for about ${room} more sessions`)
}

function withoutTtl(data: DataFacts, prefix: string): Finding[] {
  const { warning } = findingsOf('data')
  if (data.withoutTtl === 0) return []
  return [
    warning(
      `${about(data, data.withoutTtl)} key${data.withoutTtl === 1 ? '' : 's'} under ${prefix} never expire${data.withoutTtl === 1 ? 's' : ''}`,
      'A store sets a TTL with every save, unless it has disableTTL: something else has written them, or taken the TTL away.',
      'Without disableTTL: connect-redis-hash sessions, then end --handle for each that ends never',
    ),
  ]
}

function strings(data: DataFacts): Finding[] {
  const { note } = findingsOf('data')
  if (data.strings === 0) return []
  return [
    note(
      `${about(data, data.strings)} of them ${data.strings === 1 ? 'is a string' : 'are strings'} of connect-redis`,
      'No index has them before their next request, so destroyBy and findBy do not see them.',
      'destroyBy with thorough: true, until they are gone',
    ),
  ]
}

/** Extrapolates to all keys, if not all were looked at. */
function about({ looked, total }: DataFacts, count: number): string {
  return looked >= total ? String(count) : `about ${Number(((count * total) / looked).toPrecision(2))}`
}
