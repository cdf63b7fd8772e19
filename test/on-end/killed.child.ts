/**
 * A process in which sessions end, over a line that ends the process at some command. It writes to standard output, at
 * once, what it knows to be ended, and what onEnd was told.
 */
import { writeSync } from 'node:fs'
import { Redis } from 'ioredis'
import { RedisStore } from '../../src/index.js'

const [path = '', prefix = ''] = process.argv.slice(2)
const client = new Redis(path)
const say = (what: string, sid: string) => writeSync(1, `${what} ${sid}\n`)
const store = new RedisStore({
  client,
  prefix,
  ttl: 86_400,
  // On a busy machine, an answer may take long; that is not what this process is killed for.
  timeout: 60_000,
  indexes: { user: (held) => held.userId },
  onEnd: ({ session }, reason) => {
    say('told', `${session.name} ${session.step} ${reason}`)
  },
})
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

for (const name of ['a', 'b', 'c']) await store.set(name, { cookie, name, userId: 'ada', step: 1 } as never)
say('saved', 'all')
const held = (await store.get('a')) as unknown as { step: number }
held.step = 2
await store.set('a', held as never)
say('saved', 'a')
await store.destroy('a')
say('ended', 'a')
await store.destroyBy('user', 'ada')
say('ended', 'b')
say('ended', 'c')
await store.close()
await client.quit()
