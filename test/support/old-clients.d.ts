declare module 'ioredis4' {
  import { Cluster, Redis } from 'ioredis'

  const OldRedis: typeof Redis & { Cluster: typeof Cluster }
  export default OldRedis
}
declare module 'redis3' {
  import type { EventEmitter } from 'node:events'
  export function createClient(options: object): EventEmitter
}
