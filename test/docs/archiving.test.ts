import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { childScript } from '../support/child-script.js'
import { example } from '../support/markdown.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const dir = mkdtempSync(join(tmpdir(), 'crh-archive-'))

beforeAll(() => symlinkSync(resolve('node_modules'), join(dir, 'node_modules')))
afterAll(async () => {
  rmSync(dir, { recursive: true, force: true })
  await client.quit()
})

const HEAD = `
import { PGlite } from '@electric-sql/pglite'
import { Redis } from 'ioredis'
import pg from 'pg'
import { RedisStore } from ${JSON.stringify(resolve(childScript('src', 'index.ts')))}
const client = new Redis(${JSON.stringify(socketPath())})
const prefix = ${JSON.stringify(prefix)}
const dir = ${JSON.stringify(join(dir, 'archive'))}
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
`

/** Runs an example in a process of its own, with a test's code around it. @returns what that prints */
function run(before: string, [page, kind, name]: [string, string, string], after: string): unknown {
  // The example gets a directory of its own, and the keys of this test.
  const code = example(page, kind, name)
    .replace('client,', 'client, prefix, timeout: 10_000,')
    .replace("'./archive'", 'dir')
  const file = join(dir, 'app.mjs')
  writeFileSync(file, `${HEAD}${before}\n${code}\n${after}\nawait client.quit()\n`)
  const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

test('docs/archiving.md: what sessions held is in PostgreSQL once they have ended, one row each', () => {
  // DATABASE_URL names a server; without it, the embedded one serves.
  const rows = run(
    '',
    ['docs/archiving.md', 'run', 'postgres'],
    `
    const userId = prefix
    for (const sid of ['a', 'b']) await store.set(sid, { cookie, userId, cart: [sid] })
    const soon = { ...cookie, originalMaxAge: 2000, expires: new Date(Date.now() + 2000) }
    await store.set('c', { cookie: soon, userId, cart: ['c'] })
    const { handle, createdAt } = await store.info('a')
    await store.destroy('a')
    await store.destroy('b')
    const where = 'FROM ended_sessions WHERE user_id = $1'
    let rows = []
    while (rows.length < 3) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      ;({ rows } = await db.query('SELECT * ' + where + " ORDER BY content->'cart'", [userId]))
    }
    await store.close()
    const isSame = rows[0].handle === handle && Number(rows[0].created_at) === Number(createdAt)
    console.log(JSON.stringify([isSame, ...rows.map(({ reason, user_id, content }) => [reason, user_id, content])]))
    await db.query('DELETE ' + where, [userId])
    await (db.end ?? db.close).call(db)`,
  )
  const content = (sid: string) => ({ userId: prefix, cart: [sid], cookie: expect.objectContaining({ path: '/' }) })
  expect(rows).toEqual([
    true,
    ['destroyed', prefix, content('a')],
    ['destroyed', prefix, content('b')],
    ['expired', prefix, content('c')],
  ])
})

test('docs/archiving.md: in short, the archive gets one row for a session that has ended', () => {
  const rows = run(
    `const db = await PGlite.create()
    await db.query('CREATE TABLE ended_sessions (handle text, created_at timestamptz, reason text, content jsonb)')`,
    ['docs/archiving.md', 'run', 'on-end'],
    `
    await store.set('a', { cookie, userId: 'ada' })
    await store.destroy('a')
    await store.close()
    const { rows } = await db.query('SELECT reason, content FROM ended_sessions')
    console.log(JSON.stringify(rows))
    await db.close()`,
  )
  expect(rows).toEqual([{ reason: 'destroyed', content: expect.objectContaining({ userId: 'ada' }) }])
})
