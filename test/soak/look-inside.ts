import type { Redis } from 'ioredis'
import type { RedisNode } from '../support/redis-node.js'
import { asAdmin } from './topologies/any.js'

const PREFIX = 'sess:'

export interface Found {
  tag: string | undefined
  user: string | undefined
  /** Counts by property, as visitors write them. */
  counts: Map<string, number>
  /** Properties that another user has written. */
  foreign: string[]
}

export interface Inside {
  /** Sessions that a request would be served with. */
  sessions: Found[]
  /** Number of sessions that are only kept for onEnd. */
  ended: number
  withoutTtl: number
}

/** Reads what Redis holds without the library: every session key of every master. */
export async function lookInside(masters: readonly RedisNode[]): Promise<Inside> {
  const inside: Inside = { sessions: [], ended: 0, withoutTtl: 0 }
  for (const node of masters) {
    await asAdmin(node, async (admin) => {
      for (const key of await sessionKeys(admin)) {
        const [ttl, hash] = await Promise.all([admin.pttl(key), admin.hgetall(key)])
        if (ttl === -1) inside.withoutTtl += 1
        if (ttl === -2) continue
        if (hash['@end'] !== undefined) inside.ended += 1
        else inside.sessions.push(found(hash))
      }
    })
  }
  return inside
}

export async function sessionKeys(admin: Redis): Promise<string[]> {
  const keys: string[] = []
  let cursor = '0'
  do {
    const [next, some] = await admin.scan(cursor, 'MATCH', `${PREFIX}*`, 'COUNT', 500)
    cursor = next
    keys.push(...some)
  } while (cursor !== '0')
  return keys
}

function found(hash: Record<string, string>): Found {
  const text = (field: string) => (hash[field] === undefined ? undefined : (JSON.parse(hash[field]) as string))
  const user = text('userId')
  const counts = new Map<string, number>()
  const foreign: string[] = []
  for (const field of Object.keys(hash).filter((name) => /-\d$/.test(name))) {
    const [writer, n] = text(field)?.split(' ') ?? []
    counts.set(field, Number(n))
    if (writer !== user) foreign.push(field)
  }
  return { tag: text('tag'), user, counts, foreign }
}
