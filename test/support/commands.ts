import type { Redis } from 'ioredis'
import { monitor } from './monitor.js'

/** What Redis itself saw: the commands sent to it that name this prefix, commands inside scripts left out. */
export async function watchCommands(client: Redis, prefix: string): Promise<CommandLog> {
  const seen: string[][] = []
  const marks = new Map<string, () => void>()
  const watching = await monitor(client.options.path as string, (args, source) => {
    if (args[0]?.toLowerCase() === 'echo') marks.get(args[1] ?? '')?.()
    else if (source !== 'lua' && args.some((arg) => arg.includes(prefix))) seen.push(args)
  })
  let marker = 0
  return {
    /** The commands since the last call. */
    async take() {
      const mark = `mark-${prefix}-${marker++}`
      const arrived = new Promise<void>((resolve) => marks.set(mark, resolve))
      await client.echo(mark)
      await arrived
      return seen.splice(0)
    },
    stop() {
      watching.stop()
    },
  }
}

export interface CommandLog {
  take(): Promise<string[][]>
  stop(): void
}
