import type { EventEmitter } from 'node:events'
import type { Within } from '../redis/deadline.js'
import type { Context } from '../session/context.js'
import type { Activity } from './activity.js'
import type { Keyspace } from './keyspace.js'

/** What administration needs of a store: that of an application, or that of the command line. */
export interface AdminAccess {
  context: Context
  /** Applies the `timeout` option to an operation. */
  within: Within
  keyspace: Keyspace
  /** Undefined without the `activity` option. */
  activity: Activity | undefined
  /** Called when the store is closed. */
  closers: Set<() => void>
  /** Emits the events of the store. */
  emitter: EventEmitter
}

/** Key of the store's property that `adminRouter` reads. Applications cannot use it. */
export const ADMIN_ACCESS: unique symbol = Symbol('connect-redis-hash administration')

/** Adds indexes to what a store consists of. They need no functions: sessions say under which values they are to be found. */
export function withIndexes(context: Context, names: readonly string[]): Context {
  const indexes = names.map((name) => [name, () => undefined] as const)
  return { ...context, options: { ...context.options, indexes } }
}
