import { createHash } from 'node:crypto'

/** A Lua script on exactly one key, so that it runs on Redis Cluster. */
export interface Script {
  /** Short name for error messages. */
  readonly name: string
  readonly lua: string
  readonly sha: string
  /** It changes nothing. */
  readonly isRead: boolean
  /** Whether the `@` text in its reply, called like this, says that the session is seen now: what Redis's clock is. */
  readonly tellsTime: (args: readonly (string | number)[]) => boolean
}

interface Traits {
  isRead?: boolean
  tellsTime?: Script['tellsTime']
}

export function defineScript(name: string, lua: string, { isRead = false, tellsTime = never }: Traits = {}): Script {
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex'), isRead, tellsTime }
}

function never(): boolean {
  return false
}
