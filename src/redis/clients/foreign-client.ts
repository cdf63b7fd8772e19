/** Values that applications may pass by mistake: how to recognise each, what it is, and what to do instead. */
const FOREIGN: readonly (readonly [is: (value: Shape) => boolean, what: string, instead: string])[] = [
  [
    (value) => value instanceof String || value instanceof URL,
    'a URL',
    'connectRedis(url) of this package makes a client of it',
  ],
  [({ then }) => typeof then === 'function', 'a promise', 'await it first'],
  [
    (value) => typeof value === 'function',
    'a class or a function',
    'call it first, new Redis(url) or createClient({ url }), and pass what that returns',
  ],
  [
    (value) => typeof value.Redis === 'function' || typeof value.createClient === 'function',
    'a module',
    'pass a client of it, new Redis(url) or createClient({ url })',
  ],
  [
    (value) =>
      typeof value.exec === 'function' && (typeof value.execAsPipeline === 'function' || 'isPipeline' in value),
    'a pipeline or a transaction',
    'pass the client of which it was made',
  ],
  [(value) => typeof value.createSession === 'function', 'a session store', 'pass its client'],
  [
    (value) =>
      ['host', 'port', 'url', 'path', 'socket'].some((name) => Object.hasOwn(value, name)) && !hasMethods(value),
    'options',
    'connectRedis(options) of this package makes a client of them',
  ],
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
    (value) => typeof value.withTypeMapping === 'function' && typeof value.release === 'function',
    'a lease of a client of node-redis',
    'pass what createSentinel() returns',
  ],
  [
    (value) => 'totalClients' in value && typeof value.execute === 'function',
    'a pool of connections of node-redis',
    'pass what createClient() returns, one connection serves any number of requests',
  ],
  [
    (value) => typeof value.send_command === 'function' || isCallbackStyle(value),
    'a client with callbacks, of node-redis 3 or older (the package redis), or of its legacy mode',
    'npm install redis@6, and pass createClient({ url }) itself',
  ],
  [
    (value) => typeof value.sendCommand === 'function',
    'a client of node-redis 4 (the package redis)',
    'npm install redis@6',
  ],
  [
    ({ customCommand }) => typeof customCommand === 'function',
    'a client of Valkey GLIDE (@valkey/valkey-glide)',
    'npm install iovalkey, and pass new Redis(url)',
  ],
  [
    (value) => 'enableTelemetry' in value && typeof value.pipeline === 'function',
    "Upstash's client for HTTP (@upstash/redis)",
    "npm install ioredis, and pass new Redis(url) with the rediss:// URL of Upstash's console",
  ],
]

function hasMethods(value: Shape): boolean {
  return typeof value.on === 'function' || typeof value.get === 'function'
}

type Shape = Readonly<Record<string, unknown>>

/** The option `legacyMode` of node-redis 4, or what `legacy()` of later versions returns. */
function isCallbackStyle(value: Shape): boolean {
  if (typeof value.sendCommand !== 'function') return false
  const { legacyMode } = (value.options ?? {}) as { legacyMode?: unknown }
  return legacyMode === true || !('isOpen' in value)
}

/**
 * Describes a value that is no client of a library that the store knows, and what to do; '' if the value is unknown. The
 * text contains nothing of the value, which may hold a password.
 */
export function foreignClient(value: unknown): string {
  if (value === null || value === undefined) return `, not ${value}: make the client first, and then the store`
  const shape = Object(value) as Shape
  const found = FOREIGN.find(([is]) => is(shape))
  return found === undefined ? '' : `, not ${found[1]}: ${found[2]}`
}
