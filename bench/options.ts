import { parseArgs } from 'node:util'
import { ROWS } from './rows/index.js'

/** The amount of measuring. */
export interface Scale {
  rounds: number
  /** Rounds of the rows about CPU: each of them is short. */
  cpuRounds: number
  /** Whether a first round runs that does not count. */
  hasWarmUp: boolean
  roundMs: number
  /** Requests per round of the latency row. */
  requests: number
  /** Distances to the server, in milliseconds each way. */
  distances: readonly number[]
  floodSeconds: number
  memorySessions: number
  /** Total numbers of sessions at which `destroyBy` is measured. */
  sizes: readonly number[]
  revokes: number
  /** Sessions of the capacity row. */
  capacity: number
  /** Seconds per round of steady traffic. */
  steadySeconds: number
}

export interface Options {
  rows: ReadonlySet<string>
  isQuick: boolean
  scale: Scale
  /** Whether to write docs/benchmarks.md. */
  write: boolean
  /** Whether to write charts to docs/images. */
  plot: boolean
  json: string | undefined
  /** File with the results of an earlier run, to show, write or plot them again. */
  from: string | undefined
}

const FULL: Scale = {
  rounds: 7,
  cpuRounds: 15,
  hasWarmUp: true,
  roundMs: 300,
  requests: 150,
  distances: [0, 1, 2, 5],
  floodSeconds: 3,
  memorySessions: 5000,
  sizes: [1000, 10_000, 100_000, 1_000_000],
  revokes: 300,
  capacity: 1_000_000,
  steadySeconds: 20,
}

const QUICK: Scale = {
  rounds: 1,
  cpuRounds: 1,
  hasWarmUp: false,
  roundMs: 60,
  requests: 20,
  distances: [0, 1],
  floodSeconds: 1,
  memorySessions: 500,
  sizes: [1000, 10_000],
  revokes: 20,
  capacity: 20_000,
  steadySeconds: 1,
}

const NAMES = ROWS.flatMap(({ names }) => names)

export const USAGE = `npm run bench -- [options]

  --only row,row   ${NAMES.join(' ')}
  --quick          seconds instead of minutes: that it works, not how fast
  --sizes n,n      numbers of sessions for revoke and million;
                   the largest one for capacity (plain numbers do as well)
  --write          results to docs/benchmarks.md
  --plot           charts to docs/images
  --json file      results as JSON
  --from file      no measuring: results of an earlier --json
`

/** @throws TypeError for invalid arguments */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      sizes: { type: 'string' },
      write: { type: 'boolean', default: false },
      plot: { type: 'boolean', default: false },
      json: { type: 'string' },
      from: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  const rows = values.only?.split(',') ?? NAMES
  const unknown = rows.find((name) => !NAMES.includes(name))
  if (unknown !== undefined) throw new TypeError(`there is no row "${unknown}", only ${NAMES.join(', ')}`)
  const scale = values.quick ? QUICK : FULL
  const sizes = [...(values.sizes?.split(',') ?? []), ...positionals].map(Number)
  if (!sizes.every((size) => Number.isInteger(size) && size > 0)) throw new TypeError('sizes are whole numbers above 0')
  return {
    rows: new Set(rows),
    isQuick: values.quick,
    scale: sizes.length > 0 ? { ...scale, sizes, capacity: Math.max(...sizes) } : scale,
    write: values.write,
    plot: values.plot,
    json: values.json,
    from: values.from,
  }
}
