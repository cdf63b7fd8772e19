import { CommandError } from '../io.js'

/** What an address names: servers to try, and whether they are Sentinels. */
export interface Where {
  /** One URL for each node, with the same user, password, database and options. */
  urls: readonly [string, ...string[]]
  sentinels:
    | {
        hosts: readonly { host: string; port: number }[]
        /** By which the Sentinels know the master; undefined: there is only one. */
        name: string | undefined
        isTls: boolean
        /** URL of the master but for its host. */
        rest: string
      }
    | undefined
}

const SENTINEL = /^(redis|rediss)[-+]sentinel:\/\//i
const SENTINEL_PORT = 26_379
const PARTS = /^([a-z][\w+.-]*:\/\/)?(.*@)?([^/?#]*)(\/[^?#]*)?(\?[^#]*)?(?:#(.*))?$/is

/**
 * Takes an address apart. It does not check what remains the same for one server (doctor/target.ts).
 *
 * @throws CommandError that does not repeat the address: it may hold a password
 */
export function parseWhere(text: string): Where {
  if (text.startsWith('/')) return { urls: [text], sentinels: undefined }
  const whole = text.split(/,(?=rediss?:\/\/)/i)
  if (whole.length > 1) return { urls: whole as [string, ...string[]], sentinels: undefined }
  const [, scheme = 'redis://', login = '', hosts = '', path = '', query = '', fragment] = PARTS.exec(text) ?? []
  const names = hosts.split(',').filter((host) => host !== '')
  if (SENTINEL.test(scheme)) return sentinelsIn({ scheme, login, names, path, query, fragment })
  if (names.length < 2) return { urls: [text.includes('://') ? text : `redis://${text}`], sentinels: undefined }
  return { urls: names.map((host) => `${scheme}${login}${host}${path}${query}`) as [string], sentinels: undefined }
}

interface Pieces {
  scheme: string
  login: string
  names: readonly string[]
  path: string
  query: string
  fragment: string | undefined
}

/**
 * The user and password of the URL are those of the master; Sentinels with a password take `?sentinelPassword=`.
 * `redis-sentinel://a,b/name/0`, and as other libraries write it: `redis-sentinel://a,b/0#name`.
 */
function sentinelsIn({ scheme, login, names, path, query, fragment }: Pieces): Where {
  if (names.length === 0) throw new CommandError(`The URL names no Sentinel. ${FORM}`)
  const isTls = /^rediss/i.test(scheme)
  const plain = isTls ? 'rediss://' : 'redis://'
  const segments = path.split('/').slice(1)
  const [name, database = ''] = fragment === undefined ? segments : [fragment, segments[0]]
  if (!/^\d*$/.test(database)) throw new CommandError(`The database in the URL is no number. ${FORM}`)
  const hosts = names.map((host) => {
    const at = URL.canParse(`redis://${host}`) ? new URL(`redis://${host}`) : undefined
    if (at === undefined || at.hostname === '') throw new CommandError(`The URL names a host that is none. ${FORM}`)
    return { host: at.hostname.replace(/^\[|\]$/g, ''), port: Number(at.port || SENTINEL_PORT) }
  })
  const own = new URLSearchParams(query)
  const [user, password] = [own.get('sentinelUsername') ?? '', own.get('sentinelPassword') ?? '']
  const ownLogin = password === '' ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`
  const urls = hosts.map(({ host, port }) => `${plain}${ownLogin}${host.includes(':') ? `[${host}]` : host}:${port}`)
  return {
    urls: urls as [string, ...string[]],
    sentinels: {
      hosts,
      name: name === undefined || name === '' ? undefined : decodeURIComponent(name),
      isTls,
      rest: `${plain}${login}master/${database}${query}`,
    },
  }
}

const FORM = 'It looks like this: redis-sentinel://user:password@a:26379,b:26379/name-of-master.'
