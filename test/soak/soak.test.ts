import { soak } from './soak.js'
import { singleTopology } from './topologies/single.js'
import type { Topology } from './topologies/topology.js'

// This is the short run; `npm run soak` takes longer, and runs with Sentinels and on a Cluster as well.

let topology: Topology
beforeAll(async () => {
  topology = await singleTopology()
})
afterAll(() => topology.stop())

test('mixed traffic, with one fault after the other: every invariant holds after each', async () => {
  const lines: string[] = []
  const { violations, faults, requests } = await soak({
    seed: 1,
    ms: 8000,
    least: 3,
    topology,
    print: (line) => lines.push(line),
  })
  expect({ violations, lines: violations.length > 0 ? lines : [] }).toEqual({ violations: [], lines: [] })
  expect(faults.length).toBeGreaterThan(0)
  expect(requests).toBeGreaterThan(100)
})
