import { checkAccess } from './checks/access.js'
import { checkCluster } from './checks/cluster.js'
import { checkConnections } from './checks/connections.js'
import { checkData } from './checks/data.js'
import { checkEncoding } from './checks/encoding.js'
import { checkEviction, checkMemory } from './checks/memory.js'
import { checkPermissions } from './checks/permissions.js'
import { checkPersistence } from './checks/persistence.js'
import { checkReplication } from './checks/replication.js'
import { checkSentinel, checkState, checkVersion } from './checks/server.js'
import { checkClock, checkLatency } from './checks/speed.js'
import type { Facts } from './facts.js'
import type { Check, Finding, Level } from './finding.js'

const CHECKS: readonly Check[] = [
  checkState,
  checkVersion,
  checkPermissions,
  checkAccess,
  checkReplication,
  checkCluster,
  checkEviction,
  checkMemory,
  checkData,
  checkPersistence,
  checkEncoding,
  checkConnections,
  (facts) => checkLatency(facts),
  checkClock,
]

const WORST_FIRST: readonly Level[] = ['problem', 'warning', 'unknown', 'note', 'ok']

/** Runs all checks and sorts their findings, worst first. */
export function judge(facts: Facts): Finding[] {
  const sentinel = checkSentinel(facts)
  const found = sentinel.length > 0 ? [...sentinel, ...checkVersion(facts)] : CHECKS.flatMap((check) => check(facts))
  return found.sort((a, b) => WORST_FIRST.indexOf(a.level) - WORST_FIRST.indexOf(b.level))
}

export function countOf(findings: readonly Finding[], level: Level): number {
  return findings.filter((finding) => finding.level === level).length
}
