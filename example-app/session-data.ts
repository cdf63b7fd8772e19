import type { Cart } from './cart.js'
import type { Flash } from './flash.js'

/** What this shop keeps in a session. Each property is one field of the Redis hash. */
declare module 'express-session' {
  interface SessionData {
    userId: string
    name: string
    cart: Cart
    /** Shop pages looked at since the session began. */
    views: number
    flash: Flash[]
  }
}
