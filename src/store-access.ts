/** Registered, so that middleware of the ESM build finds the store of the CJS build, and the other way round. */
export const STORE_ACCESS: unique symbol = Symbol.for('connect-redis-hash.store') as never

/** What this library's middleware may ask of the store, beyond what applications may. */
export interface StoreAccess {
  /** Whether a save of this session would write anything. Costs no command. */
  isChanged(session: object): boolean
}
