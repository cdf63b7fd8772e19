import 'express-session'

/** The sessions of these tests hold anything. What the types say of declared sessions is tested in test/package. */
declare module 'express-session' {
  interface SessionData {
    // biome-ignore lint/suspicious/noExplicitAny: see above
    [property: string]: any
  }
}
