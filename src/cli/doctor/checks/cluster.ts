import { type Facts, numberOf } from '../facts.js'
import { type Finding, findingsOf } from '../finding.js'

const SLOTS = 16_384

export function checkCluster({ info, config, cluster, target }: Facts): Finding[] {
  if (info?.cluster_enabled !== '1') return []
  const { note, ok, problem, unknown, warning } = findingsOf('cluster')
  const found: Finding[] = []
  if (target.database !== 0) {
    found.push(
      problem(
        `the URL names database ${target.database}, and a Cluster has only 0`,
        'Every command fails.',
        'Leave the database out of the URL',
      ),
    )
  }
  if (cluster === undefined) return [...found, unknown('this user may not run CLUSTER INFO')]
  const covered = numberOf(cluster, 'cluster_slots_ok') ?? 0
  const full = config?.['cluster-require-full-coverage']
  if (cluster.cluster_state !== 'ok') {
    found.push(
      problem(
        `cluster_state is ${cluster.cluster_state}`,
        'Requests with a session fail with ERR_SESSION_UNAVAILABLE (status 503).',
        `redis-cli --cluster check ${target.address}`,
      ),
    )
  }
  if (covered < SLOTS) {
    found.push(
      problem(
        `${SLOTS - covered} of ${SLOTS} slots have no node that serves them`,
        full === 'no'
          ? 'Sessions in these slots fail, the others work.'
          : 'All sessions fail, not only those in these slots (cluster-require-full-coverage yes).',
        [
          `redis-cli --cluster fix ${target.address}`,
          ...(full === 'no' ? [] : ['CONFIG SET cluster-require-full-coverage no']),
        ],
      ),
    )
  } else if (full === 'yes') {
    found.push(
      warning(
        'cluster-require-full-coverage is yes',
        'When one master and its replicas are lost, all sessions fail, not only those it held.',
        'CONFIG SET cluster-require-full-coverage no',
      ),
    )
  }
  if (found.length === 0) found.push(ok(`cluster_state ok, ${cluster.cluster_size} masters, all slots served`))
  return [...found, note('settings, memory and disk were looked at on this node only: examine each master')]
}
