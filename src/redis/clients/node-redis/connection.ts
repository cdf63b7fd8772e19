import type { OneClient } from './shapes.js'

interface Known {
  epoch: number | undefined
  connection: object
}

const known = new WeakMap<OneClient, Known>()

/**
 * Returns an object that stands for the connection of a client: another one after each reconnect, also where the client
 * has been handed a connection that is ready already (maintenance notifications). undefined without a connection.
 */
export function connectionOf(client: OneClient): object | undefined {
  if (!client.isReady) return undefined
  const held = known.get(client._self ?? client) ?? follow(client._self ?? client)
  // A listener of the application may run before ours.
  if (held.epoch !== client.socketEpoch) renew(held, client)
  return held.connection
}

function follow(client: OneClient): Known {
  const held: Known = { epoch: client.socketEpoch, connection: {} }
  known.set(client, held)
  client.on('ready', () => renew(held, client))
  const insert = client._insertSocket
  if (insert !== undefined) {
    client._insertSocket = (socket) => {
      insert.call(client, socket)
      renew(held, client)
    }
  }
  return held
}

function renew(held: Known, client: OneClient): void {
  held.epoch = client.socketEpoch
  held.connection = {}
}
