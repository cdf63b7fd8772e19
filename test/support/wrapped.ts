import * as library from '../../src/index.js'

/** Makes the entry points of the library that take a client change their options first. */
export function wrapped(change: <O>(options: O) => O): Pick<typeof library, 'RedisStore' | 'secureSession'> {
  return {
    // Not a subclass, which would have none of the methods itself.
    RedisStore: new Proxy(library.RedisStore, {
      construct: (made, [options], derived) => Reflect.construct(made, [change(options)], derived),
    }),
    secureSession: (options) => library.secureSession(change(options)),
  }
}
