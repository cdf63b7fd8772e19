import { createHash } from 'node:crypto'
import type { ScriptReply } from './reply.js'

/** A Lua script on exactly one key, so that it runs on Redis Cluster. */
export interface Script<Reply = unknown> {
  /** Short name for error messages. */
  readonly name: string
  readonly lua: string
  readonly sha: string
  /** It changes nothing. */
  readonly isRead: boolean
  /** @throws UnexpectedReply for anything that this script does not return */
  decode(reply: ScriptReply): Reply
  /** What Redis's clock was when the script ran, milliseconds since 1970; undefined where the reply does not say so. */
  timeOf(reply: Reply, args: readonly (string | number)[]): number | undefined
}

type Traits<Reply> = Partial<Pick<Script<Reply>, 'isRead' | 'timeOf'>>

export function defineScript<Reply>(
  name: string,
  lua: string,
  decode: (reply: ScriptReply) => Reply,
  { isRead = false, timeOf = unknownTime }: Traits<Reply> = {},
): Script<Reply> {
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex'), isRead, decode, timeOf }
}

function unknownTime(): undefined {
  return undefined
}
