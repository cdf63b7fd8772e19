import { AsyncLocalStorage } from 'node:async_hooks'
import type { Redis } from 'ioredis'

/** What is told of the commands that a request sends. */
export interface CommandWatcher {
  /**
   * @param name in capitals
   * @param key undefined for commands without one, such as PING
   * @returns what to call when the reply has come, or the command has failed
   */
  sent(name: string, key: string | undefined): () => void
  /** Returns what a command has to wait for before it leaves; undefined lets it leave at once. */
  holdBack?(name: string): Promise<void> | undefined
}

const watchers = new AsyncLocalStorage<CommandWatcher>()
const watched = new WeakSet<Redis>()

/** Runs a function; the watcher is told of every command that the function sends, and whatever it starts. */
export function withWatcher<T>(watcher: CommandWatcher, run: () => T): T {
  return watchers.run(watcher, run)
}

/** Makes a client tell watchers of its commands. Every method of ioredis sends them with `sendCommand`. */
export function watchCommands(client: Redis): void {
  if (watched.has(client)) return
  watched.add(client)
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command, ...rest) => {
    const watcher = watchers.getStore()
    if (watcher === undefined) return send(command, ...rest)
    const name = command.name.toUpperCase()
    const over = watcher.sent(name, keyOf(name, command.args))
    command.promise.then(over, over)
    const held = watcher.holdBack?.(name)
    if (held === undefined) return send(command, ...rest)
    void held.then(() => {
      // Its result is that of the command's own promise. A second promise would have nobody who hears of a failure.
      send(command, ...rest)
    })
    return command.promise
  }
}

/** Which argument is the key, where it is not the first. */
const KEY_AT: Record<string, number> = { EVALSHA: 2, EVAL: 2, MEMORY: 1, PING: -1, SCRIPT: -1, INFO: -1 }

function keyOf(name: string, args: readonly unknown[]): string | undefined {
  const key = args[KEY_AT[name] ?? 0]
  return key === undefined ? undefined : String(key)
}
