import 'express-session'

/** The sessions of these tests may hold anything. test/package tests the types of declared sessions. */
declare module 'express-session' {
  interface SessionData {
    // biome-ignore lint/suspicious/noExplicitAny: see above
    [property: string]: any
  }
}
