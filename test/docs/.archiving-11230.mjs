
import { PGlite } from '@electric-sql/pglite'
import { Redis } from 'ioredis'
import pg from 'pg'
import { RedisStore } from "/work/main/src/index.ts"
const client = new Redis("/tmp/crh-wPSRYa/redis.sock")
const prefix = "t6c4fb6497e83:"
const dir = "/tmp/crh-archive-gU11GO/archive"
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

const db = process.env.DATABASE_URL
  ? new pg.Pool({ connectionString: process.env.DATABASE_URL })
  : await PGlite.create(dir)

await db.query(`CREATE TABLE IF NOT EXISTS ended_sessions (
  handle text, created_at timestamptz, ended_at timestamptz, reason text, user_id text, content jsonb,
  PRIMARY KEY (handle, created_at)
)`)

const store = new RedisStore({
  client, prefix, ttl: 1,
  onEnd: async ({ session, info }, reason) => {
    await db.query(
      'INSERT INTO ended_sessions VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING',
      [info.handle, info.createdAt, info.expiresAt, reason, session.userId, JSON.stringify(session)],
    )
  },
})


    const userId = prefix
    for (const sid of ['a', 'b', 'c']) await store.set(sid, { cookie, userId, cart: [sid] })
    const { handle, createdAt } = await store.info('a')
    await store.destroy('a')
    await store.destroy('b')
    const where = 'FROM ended_sessions WHERE user_id = $1'
    let rows = []
    while (rows.length < 3) ({ rows } = await db.query('SELECT * ' + where + ' ORDER BY content::text', [userId]))
    await store.close()
    const isSame = rows[0].handle === handle && Number(rows[0].created_at) === Number(createdAt)
    console.log(JSON.stringify([isSame, ...rows.map(({ reason, user_id, content }) => [reason, user_id, content])]))
    await db.query('DELETE ' + where, [userId])
    await (db.end ?? db.close).call(db)
await client.quit()
