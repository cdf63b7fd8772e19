import { type Facts, numberOf } from '../facts.js'
import { type Finding, findingsOf } from '../finding.js'

const SLOTS = 16_384

export function checkCluster(facts: Facts): Finding[] {
  const { info, cluster } = facts
  if (info?.cluster_enabled !== '1') return []
  const { note, ok, unknown } = findingsOf('cluster')
  const found = checkDatabase(facts)
  if (cluster === undefined) return [...found, unknown('this user may not run CLUSTER INFO')]
  found.push(...checkClusterState(facts), ...checkCoverage(facts))
  if (found.length === 0) found.push(ok(`cluster_state ok, ${cluster.cluster_size} masters, all slots served`))
  return [...found, note('settings, memory and disk were looked at on this node only: examine each master')]
}

function checkDatabase({ target }: Facts): Finding[] {
  const { problem } = findingsOf('cluster')
  if (target.database === 0) return []
  return [
    problem(
      `the URL names database ${target.database}, and a Cluster has only 0`,
      'Every command fails.',
      'Leave the database out of the URL',
    ),
  ]
}

function checkClusterState({ cluster, target }: Facts): Finding[] {
  const { problem } = findingsOf('cluster')
  if (cluster?.cluster_state === 'ok') return []
  return [
    problem(
      `cluster_state is ${cluster?.cluster_state}`,
      'Requests with a session fail with ERR_SESSION_UNAVAILABLE (status 503).',
      `redis-cli --cluster check ${target.address}`,
    ),
  ]
}

function checkCoverage({ config, cluster, target }: Facts): Finding[] {
  const { problem, warning } = findingsOf('cluster')
  const covered = numberOf(cluster, 'cluster_slots_ok') ?? 0
  const full = config?.['cluster-require-full-coverage']
  const change = 'CONFIG SET cluster-require-full-coverage no'
  if (covered < SLOTS) {
    const what = `${SLOTS - covered} of ${SLOTS} slots have no node that serves them`
    const fix = `redis-cli --cluster fix ${target.address}`
    if (full === 'no') return [problem(what, 'Sessions in these slots fail, the others work.', fix)]
    const consequence = 'All sessions fail, not only those in these slots (cluster-require-full-coverage yes).'
    return [problem(what, consequence, [fix, change])]
  }
  if (full !== 'yes') return []
  return [
    warning(
      'cluster-require-full-coverage is yes',
      'When one master and its replicas are lost, all sessions fail, not only those it held.',
      change,
    ),
  ]
}
