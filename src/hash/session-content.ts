import type { Cookie, SessionData } from 'express-session'

/** A type argument that fits all: for what works with every store, whatever its sessions hold. */
// biome-ignore lint/suspicious/noExplicitAny: nothing else goes with every type in both directions
export type Whatever = any

/**
 * What the application keeps in a session, as `Data` declares it: express-session's `SessionData` with what the application has added,
 * or a type of its own. Where `Data` declares no property, there may be any.
 */
export type SessionProperties<Data extends object = SessionData> =
  IsDeclared<Data> extends true
    ? { [Name in keyof Data as Name extends 'cookie' ? never : Name]: Data[Name] }
    : Record<string, Whatever>

/** Whether `Data` declares a property. `Whatever`, which alone has every symbol for a key, declares none. */
type IsDeclared<Data extends object> = symbol extends keyof Data
  ? false
  : [Exclude<keyof Data, 'cookie'>] extends [never]
    ? false
    : true

export type PropertyName<Data extends object = SessionData> = keyof SessionProperties<Data> & string

/** The properties to which `increment` can add. */
export type NumberName<Data extends object = SessionData> = {
  [Name in PropertyName<Data>]-?: [Exclude<SessionProperties<Data>[Name], undefined>] extends [number] ? Name : never
}[PropertyName<Data>]

/** A session as it is read. Each property may be absent: a session begins empty. */
export type SessionContent<Data extends object = SessionData> =
  IsDeclared<Data> extends true ? Partial<SessionProperties<Data>> & { cookie: Cookie } : Record<string, Whatever>

/** Some properties of a session, those of them that are there. */
export type PropertiesOf<Data extends object, Name extends PropertyName<Data>> = Partial<
  Pick<SessionProperties<Data>, Name>
>

/** New values of some properties; undefined removes one. */
export type SessionChanges<Data extends object = SessionData> = {
  readonly [Name in PropertyName<Data>]?: SessionProperties<Data>[Name] | undefined
}

/** What an application keeps in a session, where its types do not matter. */
export type AnyContent = SessionContent<Whatever>
