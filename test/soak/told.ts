import { readFileSync } from 'node:fs'
import { hasten } from '../support/hasten.js'
import { until } from '../support/until.js'
import { checkTold } from './check.js'
import { grouped } from './group.js'
import type { Ledger } from './ledger.js'
import { sessionKeys } from './look-inside.js'
import { asAdmin } from './topologies/any.js'
import type { Topology } from './topologies/topology.js'

/** Waits until onEnd has been told of everything; makes time pass for the sessions. */
export async function waitUntilTold(topology: Topology, ledger: Ledger): Promise<void> {
  let left = Number.POSITIVE_INFINITY
  let ms = 45 * 60_000
  const isDone = async () => {
    left = 0
    for (const node of await topology.masters()) {
      await asAdmin(node, async (admin) => {
        left += (await sessionKeys(admin)).length
        await hasten(admin, 'sess:', ms)
      })
    }
    // The first step brings ends that are noted for later; the next ones, claims of killed processes, which last for a
    // minute.
    ms = 60_000
    return left === 0
  }
  const timeoutMs = ledger.hasBeenInDoubt ? 10_000 : 30_000
  await until('every session has been told of', isDone, { timeoutMs, everyMs: 500 }).catch(() => {
    // A failover may make Redis forget that onEnd was told of a session: it then stays for a day, and for nothing.
    if (!ledger.hasBeenInDoubt) ledger.violated(`${left} sessions stay that nobody is told of`)
  })
}

/** @returns a summary of what onEnd was told */
export function judgeArchive(path: string, ledger: Ledger): string {
  const lines = readFileSync(path, 'utf8').trim().split('\n').filter(Boolean)
  const told = lines.map((line) => JSON.parse(line) as [string | null, string])
  const sessions = checkTold(ledger, told)
  const reasons = [...grouped(told, ([, reason]) => reason)].map(([reason, list]) => `${list.length} ${reason}`)
  return `onEnd was told of ${sessions} sessions: ${reasons.join(', ')}`
}
