import { createHmac, randomBytes } from 'node:crypto'
import type { SecureSessionOptions } from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { type Attack, verdict } from '../attack.js'
import type { Browser } from '../browser.js'
import { EVERY, forged, idIn, neighbourOf, type Target, victimOf } from '../targets.js'

const encrypted = (): Partial<SecureSessionOptions> =>
  ({ encryption: { keys: [randomBytes(32)] } }) as Partial<SecureSessionOptions>
const CONNECT_REDIS = 'express-session with connect-redis'

/** An attacker who watches the keyspace knows whose session is whose. */
async function keyOf(target: Target, begin: () => Promise<unknown>): Promise<string> {
  const before = new Set(await target.redis.keys())
  await begin()
  const added = (await target.redis.keys()).filter((key) => !before.has(key))
  if (added.length !== 1) throw new Error(`${added.length} sessions have begun`)
  return added[0] as string
}

/** The victim is logged in; the attacker has an anonymous session of their own. */
async function twoSessions(target: Target) {
  const [victim, attacker] = [victimOf(target), neighbourOf(target)]
  const victimKey = await keyOf(target, () => victim.logIn(target.accounts.ada))
  const attackerKey = await keyOf(target, () => attacker.get('/'))
  return { victim, attacker, victimKey, attackerKey, ada: target.accounts.ada }
}

/** Writes in the form in which the target keeps sessions. */
async function write(client: Redis, key: string, name: string, json: string): Promise<void> {
  if ((await client.type(key)) === 'hash') return void (await client.hset(key, name, json))
  const held = JSON.parse((await client.get(key)) as string)
  await client.set(key, JSON.stringify({ ...held, [name]: JSON.parse(json) }), 'KEEPTTL')
}

async function read(client: Redis, key: string, name: string): Promise<string> {
  if ((await client.type(key)) === 'hash') return (await client.hget(key, name)) ?? 'null'
  return JSON.stringify(JSON.parse((await client.get(key)) as string)[name])
}

async function outcome(victim: Browser, attacker: Browser, { accounts: { ada } }: Target) {
  const hasSeen = await attacker.seesSecretOf(ada)
  await victim.mustSeeSecretOf(ada)
  return verdict(hasSeen)
}

export const redisContents: Attack[] = [
  {
    // The fields name no property of the session, but what it inherits; their values hold `isAdmin` and `userId`.
    name: 'Redis fields __proto__, constructor and the like that name the victim as user',
    source: 'CWE-1321; OWASP ASVS 5.0, 15.3.2',
    async run(target) {
      const { victim, attacker, attackerKey } = await twoSessions(target)
      const held = { userId: 'ada', isAdmin: true }
      const fields = { constructor: { prototype: held }, prototype: held, toString: held, save: held }
      const texts = Object.entries(fields).map(([field, value]) => [field, JSON.stringify(value)] as const)
      for (const [field, text] of [...texts, ['__proto__', JSON.stringify(held)] as const]) {
        await target.redis.client.hset(attackerKey, field, text)
        if ((await outcome(victim, attacker, target)) === 'succeeded') return 'succeeded'
        await target.redis.client.hdel(attackerKey, field)
      }
      return 'failed'
    },
    succeedsAgainst: 'a naive hash store',
  },
  {
    // The restriction of a session cannot be read any more: what is left is a full login.
    name: 'a session whose restriction was damaged',
    source: 'CWE-636, not failing securely; OWASP ASVS 5.0, 16.5.3',
    async run(target) {
      const { ada } = target.accounts
      const assistant = neighbourOf(target)
      const key = await keyOf(target, () => assistant.logIn(ada, { body: { restricted: true } }))
      if (await assistant.transfersFrom(ada, 'eve')) throw new Error('the restriction does nothing')
      await target.redis.client.hset(key, 'readOnly', 'tru')
      const hasActed = await assistant.transfersFrom(ada, 'eve')
      await victimOf(target).logIn(ada)
      return verdict(hasActed)
    },
    succeedsAgainst: 'a naive hash store',
  },
  {
    // An attacker who can write to Redis, but has no key, makes their own session the victim's: by the property itself,
    // by what else may be read as one, and by what is kept beside the properties.
    name: 'the victim as user, written into Redis under any name',
    source: 'CWE-345; OWASP ASVS 5.0, 11.3.3',
    async run(target) {
      const { client } = target.redis
      const { victim, attacker, attackerKey } = await twoSessions(target)
      const before = (await client.dumpBuffer(attackerKey)) as Buffer
      const held = '{"userId":"ada","__proto__":{"userId":"ada"}}'
      const values = ['"ada"', JSON.stringify(`~${'A'.repeat(50)}`), held]
      for (const name of ['userId', '@userId', '@@userId', '@"userId"', '@cookie', '@', '@renew', '@login', 'cookie']) {
        for (const json of values) {
          await write(client, attackerKey, name, json)
          if ((await outcome(victim, attacker, target)) === 'succeeded') return 'succeeded'
          await client.restore(attackerKey, 600_000, before, 'REPLACE')
        }
      }
      return 'failed'
    },
    secure: encrypted,
    succeedsAgainst: CONNECT_REDIS,
  },
  {
    // The attacker cannot read the victim's values, but can copy them into their own session.
    name: "a value moved from the victim's session to another",
    source: 'CWE-345; OWASP ASVS 5.0, 11.3.3',
    async run(target) {
      const { client } = target.redis
      const { victim, attacker, victimKey, attackerKey } = await twoSessions(target)
      await write(client, attackerKey, 'userId', await read(client, victimKey, 'userId'))
      return outcome(victim, attacker, target)
    },
    secure: encrypted,
    succeedsAgainst: CONNECT_REDIS,
  },
  {
    // The attacker copies the whole session.
    name: "the victim's session copied to another key",
    source: 'CWE-345; OWASP ASVS 5.0, 11.3.3',
    async run(target) {
      const { victim, attacker, victimKey, attackerKey } = await twoSessions(target)
      const { client } = target.redis
      await client.restore(attackerKey, 0, (await client.dumpBuffer(victimKey)) as Buffer, 'REPLACE')
      return outcome(victim, attacker, target)
    },
    secure: encrypted,
    succeedsAgainst: CONNECT_REDIS,
  },
  {
    // Where a session is expected, there is a string as other stores keep sessions, or a key of any other type.
    name: 'a session key of another type',
    source: 'CWE-843, access of resource using incompatible type',
    async run(target) {
      const { client } = target.redis
      const { victim, attacker, attackerKey } = await twoSessions(target)
      const text = '{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"userId":"ada"}'
      const types: (() => Promise<unknown>)[] = [
        () => client.lpush(attackerKey, text),
        () => client.zadd(attackerKey, 1, text),
        () => client.xadd(attackerKey, '*', 'userId', '"ada"'),
        () => client.set(attackerKey, text),
      ]
      for (const make of types) {
        await client.del(attackerKey)
        await make()
        if ((await outcome(victim, attacker, target)) === 'succeeded') return 'succeeded'
      }
      return 'failed'
    },
    secure: encrypted,
    succeedsAgainst: CONNECT_REDIS,
  },
  {
    // The attacker has a backup of Redis, or its snapshot file, and the signing secret, from a repository: enough for a
    // cookie wherever an id is stored as it is.
    name: 'a cookie made of a dump of Redis',
    source: 'CVE-2019-16782 (Rack); OWASP ASVS 5.0, 11.4.1',
    async run(target) {
      const { ada } = target.accounts
      const victim = victimOf(target)
      await victim.get('/')
      await victim.logIn(ada)
      await target.pass(EVERY)
      await victim.mustSeeSecretOf(ada)
      await victim.mustSeeSecretOf(ada)
      const words = await wordsOfDump(target)
      const attacker = neighbourOf(target)
      for (const id of [...words].flatMap((word) => [word, ...renewedIds(word, words)])) {
        if (await attacker.seesSecretOf(ada, { cookie: forged(target, id) })) return 'succeeded'
      }
      await victim.mustSeeSecretOf(ada)
      return 'failed'
    },
    succeedsAgainst: CONNECT_REDIS,
  },
  {
    // Redis refuses a command. The attacker reads the error page, its headers or the log, knows the signing secret, and
    // looks for ids.
    name: 'an id told by an error page, a header or the log while Redis fails',
    source: 'CWE-532, CWE-209; OWASP ASVS 5.0, 16.2.5 and 16.5.1',
    async run(target) {
      const { ada } = target.accounts
      const victim = victimOf(target)
      await victim.logIn(ada)
      const mend = await target.failReads()
      const pages = []
      for (const path of ['/', '/profile', '/note', '/no-such-page']) pages.push(await victim.get(path))
      pages.push(await victim.post('/note', { body: { text: 'x' } }), await victim.post('/logout'))
      await mend()
      if (!pages.some(({ status }) => status >= 500)) throw new Error('Redis has not failed')
      const told = pages.flatMap(({ headers, text }) => [JSON.stringify(headers), text]).concat(target.log)
      const attacker = neighbourOf(target)
      for (const word of wordsIn(told.join('\n'))) {
        if (await attacker.seesSecretOf(ada, { cookie: forged(target, word) })) return 'succeeded'
      }
      await victim.mustSeeSecretOf(ada)
      // No text may hold an id, whatever else it would be good for.
      return verdict(told.some((text) => text.includes(idIn(victim, target))))
    },
    succeedsAgainst: 'a naive hash store',
  },
]

async function wordsOfDump({ redis: { client, allKeys } }: Target): Promise<Set<string>> {
  const texts: string[] = []
  for (const key of await allKeys()) {
    texts.push(key)
    const type = await client.type(key)
    if (type === 'hash') texts.push(...Object.entries(await client.hgetall(key)).flat())
    if (type === 'string') texts.push((await client.get(key)) ?? '')
  }
  return wordsIn(texts.join('\n'))
}

/** Words that may be an id. */
function wordsIn(text: string): Set<string> {
  return new Set(text.match(/[\w-]{20,}/g))
}

/** The ids that `renewSession` would make of an id with the secret in the session's own `@renew`. */
function renewedIds(word: string, words: Set<string>): string[] {
  const secrets = [...words].filter(({ length }) => length === 22)
  return secrets.map((secret) => {
    const input = `connect-redis-hash generation 1 ${word}`
    return `${word}~r1~${createHmac('sha256', secret).update(input).digest('base64url').slice(0, 22)}`
  })
}
