import { createHash } from 'node:crypto'

/** A Lua script on exactly one key, so that it runs on Redis Cluster. */
export interface Script {
  /** Short name for error messages. */
  readonly name: string
  readonly lua: string
  readonly sha: string
  /** It changes nothing. */
  readonly isRead: boolean
}

export function defineScript(name: string, lua: string, { isRead = false } = {}): Script {
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex'), isRead }
}
