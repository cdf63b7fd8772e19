import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import { RedisStore } from '../../src/index.js'

// An application that has work of its own to do, and then ends: its connection shall not keep it. Then Redis hangs.

const TIMEOUT_MS = 3000

const [path = '', pid = ''] = process.argv.slice(2)
const client = createClient({ socket: { path, tls: false } })
client.on('error', () => {})
await client.connect()
const store = new RedisStore({ client, timeout: TIMEOUT_MS })
await store.get('nobody')
process.kill(Number(pid), 'SIGSTOP')
await store.get('nobody').catch(() => {})
// The first probe leaves in the next turn.
await sleep(100)
const start = performance.now()
client.unref()
process.once('exit', () => {
  const tookMs = performance.now() - start
  console.log(tookMs < TIMEOUT_MS - 200 ? 'ends before its probe is over' : `has waited for ${tookMs} ms`)
})
