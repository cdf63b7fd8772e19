import { CommandError } from '../io.js'
import { examine, masterName } from '../target/connect.js'
import { parseWhere } from '../target/where.js'
import { Connection } from './connection.js'

/**
 * Finds the one server to examine: the master that Sentinels name, or the first of several nodes that answers. A plain
 * URL is taken as it is, also that of a Sentinel.
 *
 * @throws CommandError that does not repeat the URL: it may hold a password
 */
export async function serverOf(text: string): Promise<string> {
  const where = parseWhere(text)
  const { urls, sentinels } = where
  if (sentinels === undefined && urls.length === 1) return urls[0]
  const { url, masters } = await examine(where)
  if (sentinels === undefined) return url
  const [host, port] = await addressOf(url, masterName(sentinels.name, masters))
  const master = new URL(sentinels.rest)
  master.hostname = host.includes(':') ? `[${host}]` : host
  master.port = port
  return master.href
}

async function addressOf(sentinel: string, name: string): Promise<[host: string, port: string]> {
  const connection = await Connection.open(sentinel)
  try {
    const address = await connection.list('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)
    if (address?.length !== 2) throw new CommandError('The Sentinel does not tell where its master is.')
    return [String(address[0]), String(address[1])]
  } finally {
    connection.close()
  }
}
