import { type Facts, numberOf } from '../facts.js'
import { type Finding, findingsOf, NO_CONFIG } from '../finding.js'

const FILLING = 0.8
const SHORT_SECONDS = 60

export function checkConnections(facts: Facts): Finding[] {
  const { ok, unknown } = findingsOf('connections')
  const { info, config } = facts
  const found = [...checkLimit(facts), ...checkRejected(facts)]
  if (config === undefined) return [...found, unknown(NO_CONFIG)]
  found.push(...checkIdleTimeout(config), ...checkKeepAlive(config))
  if (found.length > 0) return found
  const clients = numberOf(info, 'connected_clients')
  const connected = clients === undefined ? '' : `, ${clients} connected`
  return [ok(`timeout 0, tcp-keepalive ${config['tcp-keepalive']}${connected}`)]
}

const MORE_CLIENTS = 'CONFIG SET maxclients <number>, or find out who opens so many: CLIENT LIST'

function checkLimit({ info, config }: Facts): Finding[] {
  const { problem, warning } = findingsOf('connections')
  const clients = numberOf(info, 'connected_clients')
  const limit = numberOf(info, 'maxclients') ?? numberOf(config, 'maxclients')
  if (clients === undefined || limit === undefined || !(clients / limit >= FILLING)) return []
  const say = clients >= limit ? problem : warning
  return [
    say(
      `${clients} of at most ${limit} clients (maxclients) are connected`,
      'Further ones are turned away: a new process of the application gets no sessions.',
      MORE_CLIENTS,
    ),
  ]
}

function checkRejected({ info }: Facts): Finding[] {
  const { warning } = findingsOf('connections')
  const rejected = numberOf(info, 'rejected_connections') ?? 0
  if (rejected === 0) return []
  return [
    warning(
      `${rejected} connections were turned away since Redis started`,
      'maxclients was reached; it may be again.',
      MORE_CLIENTS,
    ),
  ]
}

function checkIdleTimeout(config: NonNullable<Facts['config']>): Finding[] {
  const { note, warning } = findingsOf('connections')
  const timeout = numberOf(config, 'timeout') ?? 0
  if (timeout <= 0) return []
  const what = `Redis closes connections that are idle for ${timeout} s`
  if (timeout >= SHORT_SECONDS) return [note(`${what}; ioredis connects anew`)]
  return [
    warning(
      what,
      'The first request after a quiet time has to connect anew, and fails where ioredis may not wait for that.',
      'CONFIG SET timeout 0',
    ),
  ]
}

function checkKeepAlive(config: NonNullable<Facts['config']>): Finding[] {
  const { warning } = findingsOf('connections')
  if (config['tcp-keepalive'] !== '0') return []
  return [
    warning(
      'tcp-keepalive is off',
      'Connections that a firewall or a dead machine has cut stay open on the side of Redis, until maxclients is reached.',
      'CONFIG SET tcp-keepalive 300',
    ),
  ]
}
