import { availableParallelism } from 'node:os'
import JestRunner from 'jest-runner'

/** Tests in which stores give up on a Redis after a second or less, and succeed as soon as it is back. */
const IMPATIENT = [
  'test/faults/',
  'test/soak/',
  'test/(admin-router|example-app)/outage[.]test',
  'test/admin-router/deployments[.]test',
  'test/cache/(near-cache|two-processes)[.]test',
  'test/docs/runbook[.]test',
  'test/hosts/shutdown[.]test',
  'test/redis/clients/node-redis[.]test',
  'test/redis/connect/',
  'test/telemetry/(real-)?prometheus[.]test',
]

/**
 * Extends Jest's runner. Impatient tests run after all others, and only as many at once as there are processors:
 * otherwise they would take a machine that is busy with other tests for a Redis that hangs.
 */
export default class ImpatientLast extends JestRunner {
  async runTests(tests, watcher, options) {
    const isImpatient = ({ path }) => IMPATIENT.some((pattern) => new RegExp(pattern).test(path))
    const [last, first] = [tests.filter(isImpatient), tests.filter((test) => !isImpatient(test))]
    if (first.length > 0) await super.runTests(first, watcher, options)
    if (last.length === 0) return
    const maxWorkers = Math.min(this._globalConfig.maxWorkers, availableParallelism())
    this._globalConfig = { ...this._globalConfig, maxWorkers }
    await super.runTests(last, watcher, options)
  }
}
