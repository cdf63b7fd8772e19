/** Values that applications may pass by mistake: how to recognise each, what it is, and what to do instead. */
const FOREIGN: readonly (readonly [is: (value: Shape) => boolean, what: string, instead: string])[] = [
  [
    (value) => value instanceof String || value instanceof URL,
    'a URL',
    'connectRedis(url) of this package makes a client of it',
  ],
  [({ then }) => typeof then === 'function', 'a promise', 'await it first'],
  [
    (value) => 'shaScripts' in value && 'customCommands' in value,
    'a client of ioredis-mock',
    'it does not run scripts as Redis does: use a real redis-server in tests, new Redis(url)',
  ],
  [
    (value) => typeof value.evalsha === 'function' && typeof value.call === 'function',
    'a client of ioredis 4 or older',
    'npm install ioredis@6',
  ],
  [
    ({ send_command }) => typeof send_command === 'function',
    'a client with callbacks, of node-redis 3 or older (the package redis)',
    'npm install ioredis, and pass new Redis(url)',
  ],
  [
    (value) => typeof value.sendCommand === 'function',
    'a client of node-redis (the package redis)',
    'npm install ioredis, and pass new Redis(url)',
  ],
  [
    ({ customCommand }) => typeof customCommand === 'function',
    'a client of Valkey GLIDE (@valkey/valkey-glide)',
    'npm install ioredis, and pass new Redis(url): it works with Valkey, too',
  ],
  [
    (value) => 'enableTelemetry' in value && typeof value.pipeline === 'function',
    "Upstash's client for HTTP (@upstash/redis)",
    "npm install ioredis, and pass new Redis(url) with the rediss:// URL of Upstash's console",
  ],
]

type Shape = Readonly<Record<string, unknown>>

/**
 * Describes a value that is no client of ioredis 5 or 6, and what to do; '' if the value is unknown. The text contains
 * nothing of the value, which may hold a password.
 */
export function foreignClient(value: unknown): string {
  if (value === null || value === undefined) return ''
  const shape = Object(value) as Shape
  const found = FOREIGN.find(([is]) => is(shape))
  return found === undefined ? '' : `, not ${found[1]}: ${found[2]}`
}
