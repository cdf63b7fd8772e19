/** An application that ends its client, and forgets to close its store. It has to end by itself. */
import { Redis } from 'ioredis'
import { RedisStore } from '../../src/index.js'

const client = new Redis(process.argv[2] ?? '')
const beside = { cache: { max: 10, maxAge: 60 }, broadcast: true, replicas: 1 }
const store = new RedisStore({ client, prefix: 'near:', timeout: 10_000, ...beside })
await store.set('x', { cookie: { originalMaxAge: 60_000 } } as never)
while (store.cacheStats?.hits === 0) await store.get('x')
await client.quit()
