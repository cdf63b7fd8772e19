import type { Cookie, SessionData } from 'express-session'

/** A type argument for code that works with every store, whatever its sessions hold. */
// biome-ignore lint/suspicious/noExplicitAny: nothing else goes with every type in both directions
export type Whatever = any

/**
 * The properties of a session, as `Data` declares them: express-session's `SessionData` with the properties that the
 * application has added, or a type of the application. If `Data` declares no property, every property is allowed.
 */
export type SessionProperties<Data extends object = SessionData> =
  IsDeclared<Data> extends true
    ? { [Name in keyof Data as Name extends 'cookie' ? never : Name]: Data[Name] }
    : Record<string, Whatever>

/** Whether `Data` declares a property. `Whatever` declares none; it alone has every symbol as a key. */
type IsDeclared<Data extends object> = symbol extends keyof Data
  ? false
  : [Exclude<keyof Data, 'cookie'>] extends [never]
    ? false
    : true

/** The name of a property of a session, without `cookie`. */
export type PropertyName<Data extends object = SessionData> = keyof SessionProperties<Data> & string

/** The properties to which `increment` can add. */
export type NumberName<Data extends object = SessionData> = {
  [Name in PropertyName<Data>]-?: [Exclude<SessionProperties<Data>[Name], undefined>] extends [number] ? Name : never
}[PropertyName<Data>]

/** A loaded session. Each property may be absent, because a session begins empty. */
export type SessionContent<Data extends object = SessionData> =
  IsDeclared<Data> extends true
    ? Partial<SessionProperties<Data>> & {
        /** The session's cookie. */
        cookie: Cookie
      }
    : Record<string, Whatever>

/** Selected properties of a session. Each may be absent. */
export type PropertiesOf<Data extends object, Name extends PropertyName<Data>> = Partial<
  Pick<SessionProperties<Data>, Name>
>

/** New values of some properties, by name; undefined removes a property. */
export type SessionChanges<Data extends object = SessionData> = {
  readonly [Name in PropertyName<Data>]?: SessionProperties<Data>[Name] | undefined
}

/**
 * A path to a value of a session: the name of a property, then names of keys of plain objects. If `Data` declares no
 * property, any list of names fits.
 */
export type SessionPath<Data extends object = SessionData> =
  IsDeclared<Data> extends true ? readonly [PropertyName<Data>, ...string[]] : readonly string[]

/** The type of the value at the end of a path: never if the types say that there is none, any if they do not say. */
export type ValueAt<Value, Path extends readonly string[]> = Path extends readonly [
  infer Name extends string,
  ...infer Rest extends readonly string[],
]
  ? ValueAt<ValueOf<Value, Name>, Rest>
  : number extends Path['length']
    ? Whatever
    : Value

type ValueOf<Value, Name extends string> = unknown extends Value
  ? Whatever
  : Value extends readonly unknown[]
    ? never
    : Value extends object
      ? string extends Name
        ? Whatever
        : Name extends keyof Value
          ? Value[Name]
          : ValueAtNumber<Value, Name>
      : never

/** In a type, the keys of `Record<number, …>` are numbers; in a path, they are texts like any other. */
type ValueAtNumber<Value, Name extends string> = Name extends `${infer Key extends number}`
  ? Key extends keyof Value
    ? Value[Key]
    : never
  : never

/** The content of a session whose types do not matter. */
export type AnyContent = SessionContent<Whatever>
