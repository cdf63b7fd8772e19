import { secureSession } from 'connect-redis-hash'
import express from 'express'
import { Cluster } from 'ioredis'
import { allScripts } from '../support/all-scripts.js'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { Flights } from '../support/flights.js'
import { Visitor } from '../support/visitor.js'

// On a Cluster, nothing keeps the order of commands on keys of different nodes: each step waits for the one before.

let rig: ClusterRig
let flights: Flights
let client: Cluster

beforeAll(async () => {
  rig = await startClusterRig()
  // A script that a node does not know is sent a second time.
  for (const node of rig.nodes) for (const { lua } of await allScripts()) await node.send('SCRIPT', 'LOAD', lua)
  flights = new Flights(await allScripts())
  const lines = await Promise.all(rig.nodes.map(({ address }) => flights.lineTo(address)))
  const natMap = Object.fromEntries(
    rig.nodes.map(({ port }, i) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: lines[i] as number }]),
  )
  client = new Cluster([{ host: '127.0.0.1', port: lines[0] as number }], { natMap })
  await client.ping()
  // ioredis connects to a node when it first needs it.
  await Promise.all(client.nodes('master').map((node) => node.ping()))
})
afterAll(async () => {
  client?.disconnect()
  await flights?.close()
  await rig?.stop()
})

test('a login and a logout take one step after the other, in the order that they had at all times', async () => {
  const app = express()
  app.use(
    secureSession({
      client,
      timeout: 60_000,
      secret: 'a secret that is long enough for the store',
      user: (session: { userId?: string }) => session.userId,
      cookie: { secure: false },
    } as never),
  )
  app.get('/set/:name', (req, res) => {
    Object.assign(req.session, { [req.params.name]: 'ada' })
    res.end()
  })
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.end()))
  })
  const visitor = new Visitor(app)
  const flown = async (path: string) => {
    const { needed, later } = await flights.during(async () => {
      expect((await visitor.get(path)).status).toBe(200)
    })
    // A client asks on its own account which nodes there are, introduces itself to each, and asks whether it is ready.
    const ofClient = ['CLUSTER', 'CLIENT,CLIENT', 'INFO']
    return [...needed, ...later].map((names) => names.join()).filter((names) => !ofClient.includes(names))
  }
  await flown('/set/cart')
  expect(await flown('/set/userId')).toEqual(['HGETALL', 'mark rotated', 'end', 'enter', 'create', 'enter'])
  expect(await flown('/logout')).toEqual(['HGETALL', 'end', 'ZREM'])
})
