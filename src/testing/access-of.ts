import { STORE_ACCESS, type StoreAccess } from '../requests/store-access.js'
import type { AnyRedisStore } from '../store.js'

/** @throws TypeError if this is not a store of this library */
export function accessOf(store: AnyRedisStore, what: string): StoreAccess {
  const access = (store as AnyRedisStore | undefined)?.[STORE_ACCESS]
  if (access === undefined) throw new TypeError(`${what} needs the RedisStore that the application uses`)
  return access
}
