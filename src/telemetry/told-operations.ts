import { OPERATION_CHANNELS, type Operation } from '../operations.js'
import { STORE_ACCESS } from '../requests/store-access.js'
import type { AnyRedisStore } from '../store.js'

export interface OperationListener {
  /** An operation begins; the caller is still on the stack. */
  begun?(operation: Operation): void
  /** An operation is over; its outcome and duration are known. */
  over(operation: Operation): void
}

/**
 * Tells a listener of the operations of one store.
 *
 * @param who the function that the application has called, for the error
 * @returns a function that stops it
 * @throws TypeError if it is no store
 */
export function tellOperations(who: string, store: AnyRedisStore, listener: OperationListener): () => void {
  const access = store?.[STORE_ACCESS]
  if (access === undefined) throw new TypeError(`${who}(store) takes a RedisStore; of secureSession, its \`store\``)
  const { start, asyncEnd } = OPERATION_CHANNELS
  const begun = (message: unknown) => {
    if (access.isOwn(message as Operation)) listener.begun?.(message as Operation)
  }
  const over = (message: unknown) => {
    if (access.isOwn(message as Operation)) listener.over(message as Operation)
  }
  if (listener.begun !== undefined) start.subscribe(begun)
  asyncEnd.subscribe(over)
  return () => {
    start.unsubscribe(begun)
    asyncEnd.unsubscribe(over)
  }
}
