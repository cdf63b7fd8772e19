import type { Arg } from '../../client.js'
import type { OneClient } from './shapes.js'

/** Codes of types in the protocol of Redis, by which node-redis can be told what to make of a reply. */
const DOUBLE = 44
const MAP = 37

/**
 * Options of every command. They replace those of the application, which may want Buffers. A map stays a flat list: an
 * object would be made of it, and taken apart again. Numbers with a fraction stay text, as Redis holds scores as text.
 */
export const PLAIN = {
  typeMapping: { [MAP]: Array, [DOUBLE]: String },
  // An AbortSignal for each command would cost more than the command. The store has timeouts of its own.
  timeout: undefined,
  abortSignal: undefined,
  asap: undefined,
}

/** Appends arguments. node-redis takes texts only. */
export function texts(command: string[], args: readonly Arg[]): string[] {
  return command.concat(args.map(String))
}

/**
 * Sends a command to one server. Without a connection, node-redis would keep it until there is one, even if that takes
 * hours: it is dropped once nobody waits for it any more.
 */
export function sendTo(client: OneClient, args: string[], patienceMs: number): Promise<unknown> {
  return client.sendCommand(args, client.isReady ? PLAIN : patient(patienceMs))
}

export function patient(patienceMs: number): object {
  // It takes no fractions.
  return { ...PLAIN, abortSignal: AbortSignal.timeout(Math.ceil(patienceMs)) }
}

/** Like the error that node-redis has for it. The text is for the log of the application's developer. */
export function notConnected(): Error {
  return new Error('The client is not connected')
}

/** Rejects after a while: node-redis lets commands wait for the first connection without a limit. */
export function within<T>(work: Promise<T>, patienceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(notConnected()), patienceMs).unref()
    void work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
