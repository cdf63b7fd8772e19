import { type Facts, numberOf } from '../facts.js'
import { type Finding, findingsOf, NO_CONFIG } from '../finding.js'

const FILLING = 0.8
const SHORT_SECONDS = 60

export function checkConnections({ info, config }: Facts): Finding[] {
  const { note, ok, problem, unknown, warning } = findingsOf('connections')
  const found: Finding[] = []
  const clients = numberOf(info, 'connected_clients')
  const most = numberOf(info, 'maxclients') ?? numberOf(config, 'maxclients')
  const more = 'CONFIG SET maxclients <number>, or find out who opens so many: CLIENT LIST'
  if (clients !== undefined && most !== undefined && clients / most >= FILLING) {
    const say = clients >= most ? problem : warning
    found.push(
      say(
        `${clients} of at most ${most} clients (maxclients) are connected`,
        'Further ones are turned away: a new process of the application gets no sessions.',
        more,
      ),
    )
  }
  const rejected = numberOf(info, 'rejected_connections') ?? 0
  if (rejected > 0) {
    found.push(
      warning(
        `${rejected} connections were turned away since Redis started`,
        'maxclients was reached; it may be again.',
        more,
      ),
    )
  }
  if (config === undefined) return [...found, unknown(NO_CONFIG)]
  const timeout = numberOf(config, 'timeout') ?? 0
  const change = 'CONFIG SET timeout 0'
  if (timeout > 0 && timeout < SHORT_SECONDS) {
    found.push(
      warning(
        `Redis closes connections that are idle for ${timeout} s`,
        'The first request after a quiet time has to connect anew, and fails where ioredis may not wait for that.',
        change,
      ),
    )
  } else if (timeout > 0) {
    found.push(note(`Redis closes connections that are idle for ${timeout} s; ioredis connects anew`))
  }
  if (config['tcp-keepalive'] === '0') {
    found.push(
      warning(
        'tcp-keepalive is off',
        'Connections that a firewall or a dead machine has cut stay open on the side of Redis, until maxclients is reached.',
        'CONFIG SET tcp-keepalive 300',
      ),
    )
  }
  return found.length > 0
    ? found
    : [
        ok(
          `timeout 0, tcp-keepalive ${config['tcp-keepalive']}${clients === undefined ? '' : `, ${clients} connected`}`,
        ),
      ]
}
