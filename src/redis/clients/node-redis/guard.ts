import type { OneClient } from './shapes.js'

const guarded = new WeakSet<OneClient>()

/**
 * Keeps replies and commands of a client together. When a connection breaks, version 5 may still take commands out of
 * its queue for the old socket, and then expects their replies first on the next one: every command would get the reply
 * to another, a session that of somebody else among them. On a new connection nothing has been sent yet, so whatever
 * waits for a reply there is lost. Version 6 does so itself.
 */
export function guard(client: OneClient): OneClient {
  const self = client._self ?? client
  if (guarded.has(self)) return client
  guarded.add(self)
  self.on('connect', () => self._getQueue?.().flushWaitingForReply(new Error('Socket closed unexpectedly')))
  return client
}
