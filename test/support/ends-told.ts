import { Redis } from 'ioredis'
import type { ClusterRig } from './cluster-rig.js'
import type { RedisNode } from './redis-node.js'

/**
 * Listens to the messages by which stores with `broadcast` tell of ended sessions.
 *
 * @param except the master that shall hang, which would pass on nothing
 * @returns the handles of the sessions, as they come
 */
export async function endsTold(
  rig: ClusterRig,
  except: RedisNode,
): Promise<{ handles: ReadonlySet<string>; stop(): Promise<void> }> {
  const master = (await rig.masters()).find((one) => one !== except) as RedisNode
  const listener = new Redis({ port: master.port, host: '127.0.0.1' })
  const handles = new Set<string>()
  listener.on('message', (_channel, message: string) => {
    handles.add((JSON.parse(message.slice(message.indexOf('['))) as [string])[0])
  })
  await listener.subscribe('idx:sess:@ended')
  return { handles, stop: () => listener.quit().then(() => undefined) }
}
