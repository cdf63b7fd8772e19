import type { Redis } from 'ioredis'
import { aclRules } from '../../src/redis/permissions/acl.js'

interface AclUser {
  name: string
  password: string
  isAdmin?: boolean
  isCluster?: boolean
  /** Further rules, e.g. `-scan`. */
  changes?: readonly string[]
}

/** Makes the user that `doctor --acl` describes for the prefix `sess:`, with changes. */
export async function makeUser(
  admin: Redis,
  { name, password, isAdmin = false, isCluster = false, changes = [] }: AclUser,
): Promise<void> {
  const [, major, minor] = /redis_version:(\d+)\.(\d+)/.exec(await admin.info('server')) ?? []
  const rules = aclRules({ prefix: 'sess:', version: [Number(major), Number(minor)], isAdmin, isCluster })
  await admin.call('ACL', 'SETUSER', name, 'reset', 'on', `>${password}`, ...rules, ...changes)
}
