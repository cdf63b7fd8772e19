import type { Results, Table } from '../results.js'

export interface Chart {
  /** Name of its files. */
  name: string
  /** The row that it shows. */
  row: string
  /** Makes a Vega-Lite specification without colours; undefined if the results do not have this row. */
  spec(results: Results): object | undefined
}

const OURS = 'connect-redis-hash'
const NAMES: Readonly<Record<string, string>> = { ours: OURS, 'ours, near cache': `${OURS}, near cache` }

function tablesOf({ measurements }: Results, row: string): readonly Table[] {
  return measurements.find(({ name }) => name === row)?.tables ?? []
}

function numbers(table: Table, key: string): { store: string; value: number }[] {
  return table.lines.flatMap(({ name, values }) => {
    const value = values[key]
    return typeof value === 'number' ? [{ store: NAMES[name] ?? name, value }] : []
  })
}

const latency: Chart = {
  name: 'latency',
  row: 'latency',
  spec(results) {
    const [table] = tablesOf(results, 'latency')
    if (table === undefined) return undefined
    const shown = ['ours', 'ours, near cache', 'connect-redis 10', 'connect-redis 8', 'connect-valkey', 'MemoryStore']
    const lines = table.lines.filter(({ name }) => shown.includes(name))
    const values = table.columns.flatMap(({ key }) =>
      numbers({ ...table, lines }, key).map((one) => ({ ...one, distance: Number(key) })),
    )
    return {
      title: 'A read-only request, by distance to Redis',
      data: { values },
      mark: { type: 'line', point: { size: 45 }, strokeWidth: 2.5 },
      encoding: {
        x: { field: 'distance', type: 'quantitative', title: 'milliseconds to Redis, each way' },
        y: { field: 'value', type: 'quantitative', title: 'p50 of a request, ms' },
        color: colorOf(lines.map(({ name }) => NAMES[name] ?? name)),
      },
    }
  },
}

const memory: Chart = {
  name: 'memory',
  row: 'memory',
  spec(results) {
    const tables = tablesOf(results, 'memory').filter(({ title }) => title.includes('maxAge'))
    if (tables.length === 0) return undefined
    const values = tables.flatMap((table) =>
      numbers(table, 'total').map((one) => ({ ...one, session: table.title.split(',')[0] as string })),
    )
    const stores = [...new Set(values.map(({ store }) => store))]
    const y = { field: 'session', type: 'nominal', title: null, sort: null, axis: { labelFontSize: 13 } }
    const yOffset = { field: 'store', sort: stores }
    const x = { field: 'value', type: 'quantitative', title: 'bytes of Redis memory per session' }
    return {
      title: 'Memory per session',
      data: { values },
      height: { step: 20 },
      layer: [
        { mark: { type: 'bar', cornerRadiusEnd: 2 }, encoding: { x, y, yOffset, color: colorOf(stores) } },
        {
          mark: { type: 'text', align: 'left', dx: 4 },
          encoding: { x, y, yOffset, text: { field: 'value', format: '.0f' } },
        },
      ],
    }
  },
}

const revoke: Chart = {
  name: 'revoke',
  row: 'revoke',
  spec(results) {
    const [table] = tablesOf(results, 'revoke')
    if (table === undefined) return undefined
    const series = { median: `${OURS}: destroyBy`, theirs: 'connect-redis 10: all(), destroy' }
    const values = Object.entries(series).flatMap(([key, store]) =>
      table.lines.flatMap(({ name, values }) =>
        typeof values[key] === 'number' ? [{ store, size: Number(name), value: values[key] }] : [],
      ),
    )
    const grid = { grid: true, format: '~s', values: [1000, 10_000, 100_000, 1_000_000] }
    return {
      title: 'Ending the four sessions of one user',
      data: { values },
      mark: { type: 'line', point: { size: 45 }, strokeWidth: 2.5 },
      encoding: {
        x: { field: 'size', type: 'quantitative', scale: { type: 'log' }, title: 'sessions in all', axis: grid },
        y: {
          field: 'value',
          type: 'quantitative',
          scale: { type: 'log' },
          title: 'milliseconds',
          axis: { format: '~g', values: [0.1, 1, 10, 100, 1000, 10_000] },
        },
        color: colorOf(Object.values(series)),
      },
    }
  },
}

function colorOf(domain: readonly string[]): object {
  const legend = { title: null, orient: 'bottom', columns: 3, symbolStrokeWidth: 3, labelLimit: 300 }
  return { field: 'store', type: 'nominal', sort: domain, scale: { domain }, legend }
}

export const CHARTS: readonly Chart[] = [latency, memory, revoke]
