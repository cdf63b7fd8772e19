import session from 'express-session'
import { type Contender, TTL } from './contender.js'

export const memoryStore: Contender = {
  name: 'MemoryStore',
  title: 'express-session MemoryStore',
  server: 'memory',
  packages: ['express-session'],
  open: async () => ({ store: new session.MemoryStore() }),
}

export const memorystore: Contender = {
  name: 'memorystore',
  title: 'memorystore',
  server: 'memory',
  packages: ['memorystore'],
  async open() {
    const { default: makeStore } = await import('memorystore')
    return { store: new (makeStore(session))({ ttl: TTL * 1000 }) }
  },
}
