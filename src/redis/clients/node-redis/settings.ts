import type { ClusterClient, OneOptions } from './shapes.js'

/** Finds settings of `createClient` that do harm in spite of the store's own `timeout`: a clause about each. */
export function harmfulSettings(options: OneOptions = {}): string[] {
  return [...ofQueue(options), ...ofSocket(options)]
}

/** Finds those of `createCluster`. */
export function harmfulClusterSettings({ _options }: ClusterClient): string[] {
  return harmfulSettings(_options?.defaults)
}

function* ofQueue({ commandsQueueMaxLength, disableOfflineQueue }: OneOptions): Generator<string> {
  if (disableOfflineQueue === true) {
    yield '"disableOfflineQueue" makes requests fail while the client connects, even for a moment'
  } else if (!(Number(commandsQueueMaxLength) > 0)) {
    yield 'without "commandsQueueMaxLength", the client keeps any number of the application\'s commands while Redis is away'
  }
}

function* ofSocket({ socket = {}, pingInterval }: OneOptions): Generator<string> {
  const { reconnectStrategy, socketTimeout, connectTimeout } = socket
  if (reconnectStrategy === false) yield '"socket.reconnectStrategy: false": the client never connects again'
  // A missing one is 5 seconds.
  if (connectTimeout !== undefined && !(connectTimeout > 0)) {
    yield 'without "socket.connectTimeout", the client waits for minutes for a server that does not answer'
  }
  if (!(Number(socketTimeout) > 0)) return
  if (reconnectStrategy === undefined) {
    yield '"socket.socketTimeout" without a "socket.reconnectStrategy" of your own: after such a timeout, node-redis never connects again'
  }
  if (!(Number(pingInterval) > 0 && Number(pingInterval) < Number(socketTimeout))) {
    yield '"socket.socketTimeout" without a shorter "pingInterval" cuts connections that are only idle'
  }
}
