import { accessSync, constants } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/** Prometheus and its promtool, as absolute paths. */
export interface PrometheusProgram {
  prometheus: string
  promtool: string
}

/**
 * Finds Prometheus: the one that PROMETHEUS_BIN names, else the one on PATH, else the one that scripts/get-prometheus.mjs
 * has put into .cache.
 */
export function findPrometheus(): PrometheusProgram | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '.cache/prometheus/usr/bin']
  const named = process.env.PROMETHEUS_BIN
  const candidates = [...(named ? [named] : []), ...directories.map((directory) => join(directory, 'prometheus'))]
  const prometheus = candidates.find(isExecutable)
  return prometheus === undefined ? undefined : { prometheus, promtool: join(dirname(prometheus), 'promtool') }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
