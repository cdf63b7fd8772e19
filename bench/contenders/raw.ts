import { type Contender, TTL } from './contender.js'
import { ioredis, nodeRedis } from './redis-peers.js'

/** Sends the commands of connect-redis, without JSON and sessions. */
export const rawString: Contender = {
  name: 'raw string',
  title: 'raw: GET + EXPIRE, SETEX, node-redis',
  server: 'redis',
  packages: ['redis'],
  isRaw: true,
  async open(place) {
    const client = await nodeRedis(place)
    const save = (sid: string, whole: Record<string, string>) =>
      client.set(`sess:${sid}`, Object.values(whole).join(), { expiration: { type: 'EX', value: TTL } })
    return {
      raw: {
        seed: save,
        async read(sid) {
          await client.get(`sess:${sid}`)
          await client.expire(`sess:${sid}`, TTL)
        },
        load: (sid) => client.get(`sess:${sid}`),
        save: (sid, _field, _text, whole) => save(sid, whole),
      },
    }
  },
}

/** Sends the commands of a hash, without scripts, parsing and sessions. */
export const rawHash: Contender = {
  name: 'raw hash',
  title: 'raw: HGETALL, HSET + PEXPIRE, ioredis',
  server: 'redis',
  packages: ['ioredis'],
  isRaw: true,
  async open(place) {
    const client = await ioredis(place)
    const save = (sid: string, fields: Record<string, string>) =>
      Promise.all([client.hset(`sess:${sid}`, fields), client.pexpire(`sess:${sid}`, TTL * 1000)])
    const load = (sid: string) => client.hgetall(`sess:${sid}`)
    return {
      raw: {
        seed: save,
        read: load,
        load,
        save: (sid, field, text) => save(sid, { [field]: text }),
      },
    }
  },
}
