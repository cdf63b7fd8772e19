import { createHash } from 'node:crypto'
import type { ScriptReply } from './reply.js'

/** A Lua script that uses exactly one key, so that it runs on Redis Cluster. */
export interface Script<Reply = unknown> {
  /** Short name for error messages. */
  readonly name: string
  /** What error messages call it. */
  readonly title: string
  readonly lua: string
  readonly sha: string
  /** Whether the script only reads. */
  readonly isRead: boolean
  /** Whether a request that runs the script usually sends nothing else in the same turn of the event loop. */
  readonly isAlone: boolean
  /** @throws UnexpectedReply for anything that this script does not return */
  decode(reply: ScriptReply): Reply
  /**
   * Returns the time of the Redis clock when the script ran, in milliseconds since 1970; undefined if the reply does
   * not contain it.
   */
  timeOf(reply: Reply, args: readonly (string | number)[]): number | undefined
}

type Traits<Reply> = Partial<Pick<Script<Reply>, 'isRead' | 'isAlone' | 'timeOf'>>

export function defineScript<Reply>(
  name: string,
  lua: string,
  decode: (reply: ScriptReply) => Reply,
  { isRead = false, isAlone = false, timeOf = unknownTime }: Traits<Reply> = {},
): Script<Reply> {
  const title = `script ${name}`
  return { name, title, lua, sha: createHash('sha1').update(lua).digest('hex'), isRead, isAlone, decode, timeOf }
}

function unknownTime(): undefined {
  return undefined
}
