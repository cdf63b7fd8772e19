import type { Redis } from 'ioredis'

/** A key that an experiment has left in Redis. */
export interface Remains {
  /** What the key is for. */
  kind: 'session' | 'index of users'
  type: string
  /** Seconds until Redis removes it; undefined: never. */
  ttl: number | undefined
  /** The properties of a session, with their values as Redis holds them. */
  properties: { name: string; value: string }[]
  /** Names of what the store keeps for itself. */
  bookkeeping: string[]
}

/** Looks at keys, sessions first; those that do not exist are left out. */
export async function lookAt(client: Redis, keys: readonly string[]): Promise<Remains[]> {
  const found = await Promise.all(keys.map((key) => remainsOf(client, key)))
  const remains = found.filter((each) => each !== undefined)
  return remains.sort((one, other) => other.kind.localeCompare(one.kind))
}

async function remainsOf(client: Redis, key: string): Promise<Remains | undefined> {
  const [type, ms] = await Promise.all([client.type(key), client.pttl(key)])
  if (type === 'none') return undefined
  const fields = Object.entries(await fieldsOf(client, key, type))
  return {
    kind: key.startsWith('idx:') ? 'index of users' : 'session',
    type,
    ttl: ms < 0 ? undefined : Math.ceil(ms / 1000),
    properties: fields.filter(([name]) => !isBookkeeping(name)).map(([name, value]) => ({ name, value })),
    bookkeeping: fields.map(([name]) => name).filter(isBookkeeping),
  }
}

async function fieldsOf(client: Redis, key: string, type: string): Promise<Record<string, string>> {
  if (type === 'hash') return client.hgetall(key)
  if (type !== 'string') return {}
  const session = JSON.parse((await client.get(key)) ?? '{}') as Record<string, unknown>
  return Object.fromEntries(Object.entries(session).map(([name, value]) => [name, JSON.stringify(value)]))
}

/** connect-redis keeps the cookie in the session; the other fields are those of this package. */
function isBookkeeping(name: string): boolean {
  return name === 'cookie' || name.startsWith('@')
}
