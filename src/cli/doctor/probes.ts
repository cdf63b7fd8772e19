import type { NeededCommand } from '../../redis/permissions/commands.js'

export interface ProbeKeys {
  session: string
  index: string
  /** The store's own channel, because permissions for channels go by name. */
  channel: string
}

const NO_SCRIPT = '0'.repeat(40)

/**
 * Arguments that make each command harmless, on a key that does not exist. Commands that would create it get arguments
 * that Redis refuses; it checks permissions before arguments.
 */
const ARGUMENTS: Readonly<Record<string, (key: string, keys: ProbeKeys) => string[]>> = {
  hmget: (key) => [key, '@'],
  hget: (key) => [key, '@'],
  hset: (key) => [key, 'field', 'text', 'field without text'],
  hdel: (key) => [key, '@'],
  pexpire: (key) => [key, '1000'],
  pexpireat: (key) => [key, '1000'],
  evalsha: (key) => [NO_SCRIPT, '1', key],
  eval: (key) => ['return 1', '1', key],
  hincrby: (key) => [key, 'field', 'no number'],
  hincrbyfloat: (key) => [key, 'field', 'no number'],
  set: (key) => [key, '', 'PX', 'no number'],
  zadd: (key) => [key, 'no number', 'member'],
  zrem: (key) => [key, 'member'],
  zscore: (key) => [key, 'member'],
  zrange: (key) => [key, '0', '-1'],
  zrevrange: (key) => [key, '0', '0'],
  zcount: (key) => [key, '0', '0'],
  zremrangebyscore: (key) => [key, '-inf', '0'],
  zrangebyscore: (key) => [key, '0', '0'],
  publish: (_key, { channel }) => [channel, ''],
  subscribe: (_key, { channel }) => [channel],
  'client|id': () => [],
  'client|tracking': () => ['OFF'],
  'client|setinfo': () => ['LIB-NAME', ''],
  'client|setname': () => [''],
  select: () => ['0'],
  wait: () => ['0', '1'],
  scan: () => ['0'],
  time: () => [],
  ping: () => [],
  info: () => [],
  'cluster|slots': () => [],
  'cluster|info': () => [],
  'cluster|nodes': () => [],
  asking: () => [],
}

/** Commands without a harmless form, and commands whose effect others would notice. */
export const NOT_HARMLESS: ReadonlySet<string> = new Set(['pfadd', 'publish', 'subscribe'])

/** Returns a harmless call of a command, as a list of words. */
export function probeOf({ name }: Pick<NeededCommand, 'name'>, key: string, keys: ProbeKeys): [string, ...string[]] {
  const args = ARGUMENTS[name] ?? ((only: string) => [only])
  return [...(name.split('|') as [string, ...string[]]), ...args(key, keys)]
}
