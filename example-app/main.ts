import type { Server } from 'node:http'
import { join } from 'node:path'
import { createShop, type Shop } from './app.js'
import { listen } from './listen.js'
import { openRedis, type ShopRedis } from './redis.js'
import { sessionSecret } from './secret.js'

const SHUTDOWN_MS = 5000
const dataDir = process.env.DATA_DIR ?? join(import.meta.dirname, '.data')

// The reader of the output may be gone when the shop closes. This must not keep it from closing.
process.stdout.on('error', () => {})

try {
  const secret = sessionSecret(dataDir)
  const redis = await openRedis(dataDir)
  const { server, shop, url } = await open(redis, secret)
  endWith(server, shop, redis)
  console.log(welcome(url, redis.cli))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

async function open(redis: ShopRedis, secret: string): Promise<{ server: Server; shop: Shop; url: string }> {
  try {
    const { client, pause } = redis
    const shop = createShop({ client, secret, ...(pause && { pauseRedis: pause }) })
    const { server, url } = await listen(shop.app)
    server.on('upgrade', shop.upgrade)
    return { server, shop, url }
  } catch (error) {
    await redis.close()
    throw error
  }
}

/** Ends the server first, because requests in progress still need Redis; then Redis, once it answers. */
function endWith(server: Server, shop: Shop, redis: ShopRedis): void {
  let ending = false
  const end = () => {
    if (ending) return
    ending = true
    const outageMs = shop.outageMs()
    const why = outageMs > 0 ? ` Redis answers again in ${Math.ceil(outageMs / 1000)} s, and is closed then.` : ''
    console.log(`\nClosing the shop…${why}`)
    setTimeout(() => server.closeAllConnections(), SHUTDOWN_MS / 2).unref()
    setTimeout(() => process.exit(1), SHUTDOWN_MS + outageMs).unref()
    shop.close()
    server.close(() => {
      redis
        .close()
        .catch((error) => console.error(`Redis: ${error.message}`))
        .finally(() => process.exit(0))
    })
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
  // npm start holds the other end of this channel, which closes when that process ends.
  process.on('disconnect', end)
}

function welcome(url: string, cli: string): string {
  return `
  Hash & Kettle is open:  ${url}

  Try this:
    1. Put some tea into the basket, sign up, and find the basket still full, in a session with a new name.
    2. Open ${url}/session to see your session as Redis holds it, to pretend to be another browser, and to steal your own cookie.
    3. Open ${url}/two-requests and press a button: two requests meet, with connect-redis and with this package.
    4. See it from another terminal:
         ${cli} --scan --pattern 'sess:*' | xargs -n 1 ${cli} HGETALL
    5. Watch the store's events at ${url}/events, stop Redis for ten seconds at ${url}/outage, be the support at ${url}/admin.
    6. Click on your name, and again two minutes later: the account asks for the password.
    7. Kill everything with kill -9, run npm start again: you are still logged in.

  Stop with Ctrl-C.
`
}
