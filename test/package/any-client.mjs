// The packed package in a project that has one client library, or none: each argument is the name of one.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import * as esm from 'connect-redis-hash'

const cjs = createRequire(import.meta.url)('connect-redis-hash')
const installed = process.argv.slice(2)
for (const { backchannelLogout, connectRedis, RedisStore } of [esm, cjs]) {
  if (installed.includes('iovalkey')) {
    const { Redis } = await import('iovalkey')
    const client = connectRedis('redis://localhost:6379', { lazyConnect: true })
    assert.ok(client instanceof Redis)
    await new RedisStore({ client }).close()
    client.disconnect()
  } else {
    assert.throws(() => connectRedis('redis://localhost:6379'), { name: 'Error', message: /npm install ioredis/ })
  }
  if (installed.includes('redis')) {
    const { createClient } = await import('redis')
    const store = new RedisStore({ client: createClient(), indexes: { oidc: (held) => held.sid } })
    const logout = () => backchannelLogout({ store, issuer: 'https://id.test', audience: 'shop', jwks: { keys: [] } })
    if (installed.includes('jose')) assert.equal(typeof logout(), 'function')
    else assert.throws(logout, { name: 'Error', message: /npm install jose/ })
    await store.close()
  }
  assert.throws(() => new RedisStore({ client: {} }), { name: 'TypeError', message: /client/ })
}

// Neither is installed here. The error names what to install.
for (const [subpath, peer] of [
  ['prometheus', 'prom-client'],
  ['opentelemetry', '@opentelemetry/api'],
]) {
  await assert.rejects(import(`connect-redis-hash/${subpath}`), new RegExp(peer))
}

const command = ['node_modules/connect-redis-hash/dist/cjs/cli/main.js', 'doctor', 'redis://127.0.0.1:1']
const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' })
assert.equal(status, 2)
assert.equal(/needs the package ioredis .*npm install --no-save ioredis/.test(stderr), !installed.includes('iovalkey'))
