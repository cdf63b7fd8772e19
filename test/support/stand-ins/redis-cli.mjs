// Does what the pages use of redis-cli, for machines that have none: `-s <socket>` or `-u <URL>`, a command, and `--scan --pattern`.
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    socket: { type: 'string', short: 's' },
    url: { type: 'string', short: 'u' },
    scan: { type: 'boolean' },
    pattern: { type: 'string' },
  },
})
// RESP 2 gives a hash as the list that redis-cli prints.
const redis = new Redis(values.socket ?? values.url, { protocol: 2, lazyConnect: true, retryStrategy: () => null })
await redis.connect()
for (const line of values.scan ? await scanned() : [await redis.call(...positionals)].flat()) console.log(String(line))
redis.disconnect()

async function scanned() {
  const found = []
  for await (const keys of redis.scanStream({ match: values.pattern ?? '*' })) found.push(...keys)
  return new Set(found)
}
