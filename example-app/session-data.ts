import type { Cart } from './cart.js'
import type { Flash } from './flash.js'

/** The session properties of this shop. Each is one field of the Redis hash. */
declare module 'express-session' {
  interface SessionData {
    userId: string
    name: string
    cart: Cart
    /** Number of shop pages viewed since the session began. */
    views: number
    flash: Flash[]
  }
}
