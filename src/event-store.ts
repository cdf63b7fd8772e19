import { Store } from 'express-session'
import type { SessionEventName, SessionEvents } from './events.js'

/** The events of a store: its own, and `connect` and `disconnect`, to which express-session listens. */
export type StoreEvents = { [Name in SessionEventName]: [payload: SessionEvents[Name]] } & {
  connect: []
  disconnect: []
}

type Name = keyof StoreEvents
type Listener<E extends Name> = (...args: StoreEvents[E]) => void

/** express-session's `Store` with typed events: listening to an event that does not exist does not compile. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: only types are added to the methods that EventEmitter has
export abstract class EventStore extends Store {}

export interface EventStore {
  on<E extends Name>(event: E, listener: Listener<E>): this
  once<E extends Name>(event: E, listener: Listener<E>): this
  off<E extends Name>(event: E, listener: Listener<E>): this
  addListener<E extends Name>(event: E, listener: Listener<E>): this
  removeListener<E extends Name>(event: E, listener: Listener<E>): this
  prependListener<E extends Name>(event: E, listener: Listener<E>): this
  prependOnceListener<E extends Name>(event: E, listener: Listener<E>): this
}
