import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { startRedis } from 'connect-redis-hash/testing'
import { Redis } from 'ioredis'
import { childScript } from '../support/child-script.js'

/** Resolves once nothing answers at this address any more. */
async function gone(url: string): Promise<void> {
  for (;;) {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
    client.on('error', () => {})
    const isThere = await client.connect().then(
      () => true,
      () => false,
    )
    client.disconnect()
    if (!isThere) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function ask(url: string, ...command: [string, ...string[]]): Promise<unknown> {
  const client = new Redis(url)
  try {
    return await client.call(...command)
  } finally {
    client.disconnect()
  }
}

test('servers that are started at once are empty, and each is another one', async () => {
  const servers = await Promise.all([startRedis(), startRedis(), startRedis()])
  try {
    const ids = await Promise.all(servers.map(({ url }) => ask(url, 'INFO', 'server')))
    expect(new Set(ids.map((info) => /run_id:(\w+)/.exec(info as string)?.[1])).size).toBe(3)
    expect(await Promise.all(servers.map(({ url }) => ask(url, 'DBSIZE')))).toEqual([0, 0, 0])
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
  await Promise.all(servers.map(({ url }) => gone(url)))
  await servers[0]?.stop()
})

test('it takes arguments, a password among them', async () => {
  const redis = await startRedis({ args: ['--maxmemory', '8mb', '--requirepass', 'secret'] })
  try {
    const url = redis.url.replace('//', '//:secret@')
    expect(await ask(url, 'CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '8388608'])
  } finally {
    await redis.stop()
  }
})

test.each(['exits', 'is killed'])('a server ends with the process that has started it, when that %s', async (how) => {
  const child = spawn(process.execPath, [childScript('test', 'testing', 'start-redis.child.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string]
  expect(await ask(url, 'PING')).toBe('PONG')
  if (how === 'exits') child.stdin.end()
  else child.kill('SIGKILL')
  await gone(url)
})

test('what is wrong is said: a program that is not there, arguments that the server refuses, wrong options', async () => {
  await expect(startRedis({ bin: '/nowhere/redis-server' })).rejects.toThrow(
    '/nowhere/redis-server did not start: it could not be run (ENOENT)',
  )
  await expect(startRedis({ args: ['--no-such-setting', '1'] })).rejects.toThrow(/did not start: .*no-such-setting/s)
  await expect(startRedis({ args: 'x' as never })).rejects.toThrow('"args" option must be a list of texts')
  await expect(startRedis({ bin: 5 as never })).rejects.toThrow('"bin" option')
  await expect(startRedis({ binary: 'x' } as never)).rejects.toThrow('startRedis has no option "binary"')
})

test('without a program on PATH it says what to install, and in production it starts nothing', async () => {
  const { PATH, REDIS_SERVER_BIN, NODE_ENV } = process.env
  try {
    process.env.PATH = '/nowhere'
    delete process.env.REDIS_SERVER_BIN
    await expect(startRedis()).rejects.toThrow('install one, or name it with "bin"')
    process.env.NODE_ENV = 'production'
    await expect(startRedis()).rejects.toThrow('refuses to work with NODE_ENV=production')
  } finally {
    Object.assign(process.env, { PATH, NODE_ENV })
    if (REDIS_SERVER_BIN !== undefined) process.env.REDIS_SERVER_BIN = REDIS_SERVER_BIN
  }
})
