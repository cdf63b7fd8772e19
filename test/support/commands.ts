import type { Cluster, Redis } from 'ioredis'
import { monitor } from './monitor.js'
import { socketPath } from './redis.js'
import { topology } from './topology.js'

/** Records the commands with this prefix that Redis receives, without commands inside scripts. */
export async function watchCommands(client: Redis, prefix: string): Promise<CommandLog> {
  const seen: string[][] = []
  const marks = new Map<string, () => void>()
  await client.ping()
  const watchers = await Promise.all(
    placesOf(client).map((place) =>
      monitor(place, (args, source) => {
        if (args[0]?.toLowerCase() === 'echo') marks.get(args[1] ?? '')?.()
        else if (source !== 'lua' && args.some((arg) => arg.includes(prefix))) seen.push(args)
      }),
    ),
  )
  let marker = 0
  return {
    /** Returns the commands since the last call. */
    async take() {
      const mark = `mark-${prefix}-${marker++}`
      let left = watchers.length
      const arrived = new Promise<void>((resolve) => {
        marks.set(mark, () => {
          left -= 1
          if (left === 0) resolve()
        })
      })
      for (const node of client.isCluster ? (client as unknown as Cluster).nodes('master') : [client])
        await node.echo(mark)
      await arrived
      return seen.splice(0)
    },
    stop() {
      for (const watcher of watchers) watcher.stop()
    },
  }
}

/** Lists every server that may receive a command of this client. */
function placesOf(client: Redis): (string | { host: string; port: number })[] {
  if (!client.isCluster) return [(client.options.path as string | undefined) ?? socketPath()]
  const ports = new Set((client as unknown as Cluster).nodes('master').map((node) => node.options.port))
  return (topology.nodes ?? []).filter(({ port }) => ports.has(port))
}

export interface CommandLog {
  take(): Promise<string[][]>
  stop(): void
}
