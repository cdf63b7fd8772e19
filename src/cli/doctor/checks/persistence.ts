import { type Facts, numberOf } from '../facts.js'
import { type Finding, findingsOf, NO_INFO } from '../finding.js'

const TURN_ON = 'CONFIG SET appendonly yes'

export function checkPersistence({ info, config }: Facts): Finding[] {
  const { note, ok, unknown, warning } = findingsOf('persistence')
  if (info === undefined) return [unknown(NO_INFO)]
  const saves = config?.save
  const found: Finding[] = failures({ info, config })
  if (info.aof_enabled === '1') {
    if (config?.appendfsync === 'no') {
      found.push(
        warning(
          'the append-only file is written when the system likes to (appendfsync no)',
          'A crash of the machine loses half a minute: logins are gone, and sessions that were ended are back.',
          'CONFIG SET appendfsync everysec',
        ),
      )
    } else if (found.length === 0) {
      found.push(ok(`append-only file${config?.appendfsync ? `, appendfsync ${config.appendfsync}` : ''}`))
    }
  } else if (saves === '') {
    const replicas = numberOf(info, 'connected_slaves') ?? 0
    found.push(
      warning(
        'nothing is written to disk (no append-only file, no snapshots)',
        `A restart of Redis logs everybody out.${replicas > 0 ? ' A master that comes back empty makes its replicas empty, too.' : ''}`,
        TURN_ON,
      ),
    )
  } else if (saves === undefined) {
    found.push(note('no append-only file; whether there are snapshots, only CONFIG GET save would say'))
  } else {
    found.push(
      warning(
        `snapshots only (save ${saves}), no append-only file`,
        'A crash goes back to the last snapshot, minutes or an hour: logins since are gone, and sessions that were ended since (logouts, revoked devices) are back.',
        TURN_ON,
      ),
    )
  }
  return found
}

/** Finds writes to disk that have failed. */
function failures({ info, config }: Pick<Facts, 'info' | 'config'>): Finding[] {
  const { problem, warning } = findingsOf('persistence')
  const found: Finding[] = []
  const consequence = 'Redis refuses to write: every save fails with ERR_SESSION_PERSISTENCE (status 503).'
  const look = "Look at Redis's log: is the disk full, or the directory not writable?"
  if (info?.aof_last_write_status === 'err') {
    found.push(problem('the last write to the append-only file has failed', consequence, look))
  }
  if (info?.rdb_last_bgsave_status === 'err') {
    // Redis still accepts writes if this setting is off, or if it makes no snapshots by itself.
    const stops = config?.['stop-writes-on-bgsave-error'] !== 'no' && config?.save !== ''
    found.push(
      stops
        ? problem('the last snapshot has failed', consequence, [
            look,
            'Until then: CONFIG SET stop-writes-on-bgsave-error no',
          ])
        : warning('the last snapshot has failed', 'What is on disk is older than it should be.', look),
    )
  }
  if (info?.aof_last_bgrewrite_status === 'err') {
    found.push(
      warning('the last rewrite of the append-only file has failed', 'The file grows until the disk is full.', look),
    )
  }
  return found
}
