import { bytesRow } from './bytes.js'
import { capacityRow } from './capacity.js'
import { cpuRows } from './cpu.js'
import { flightsRow } from './flights.js'
import { latencyRow } from './latency.js'
import { manyRow } from './many.js'
import { memoryRow } from './memory.js'
import { requestsRow } from './requests.js'
import type { Row } from './row.js'
import { shapesRow } from './shapes.js'
import { steadyRow } from './steady.js'
import { telemetryRow } from './telemetry.js'

export const ROWS: readonly Row[] = [
  ...cpuRows,
  telemetryRow,
  latencyRow,
  steadyRow,
  flightsRow,
  bytesRow,
  memoryRow,
  shapesRow,
  requestsRow,
  manyRow,
  capacityRow,
]
