/**
 * Types of packages that only bench/package.json names, so that the library's own type check does not need these
 * packages.
 */
declare module 'memorystore' {
  export default function make(session: object): new (options: object) => import('express-session').Store
}
declare module 'session-file-store' {
  export default function make(session: object): new (options: object) => import('express-session').Store
}
declare module 'connect-pg-simple' {
  export default function make(session: object): new (options: object) => import('express-session').Store
}
declare module 'connect-redis8' {
  export const RedisStore: new (options: object) => import('express-session').Store
}
declare module 'connect-valkey' {
  export const ValkeyStore: new (options: object) => import('express-session').Store
}
declare module '@valkey/valkey-glide' {
  export const GlideClient: { createClient(options: object): Promise<{ close(): void }> }
}
declare module 'pg' {
  const pg: { Pool: new (options: object) => { end(): Promise<void>; on(event: 'error', listener: () => void): void } }
  export default pg
}
declare module '@electric-sql/pglite' {
  export const PGlite: { create(): Promise<object> }
}
declare module '@electric-sql/pglite-socket' {
  export const PGLiteSocketServer: new (
    options: object,
  ) => { start(): Promise<void>; addEventListener(type: string, listener: (event: { detail: unknown }) => void): void }
}
declare module 'autocannon' {
  interface Result {
    requests: { total: number; average: number }
    duration: number
    errors: number
    non2xx: number
  }
  export default function autocannon(options: object): Promise<Result>
}
declare module 'vega' {
  export class View {
    constructor(runtime: object, options: object)
    toSVG(): Promise<string>
  }
  export function parse(spec: object): object
}
declare module 'vega-lite' {
  export function compile(spec: object): { spec: object }
}
