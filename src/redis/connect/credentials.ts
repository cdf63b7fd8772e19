/** The name and password with which a connection logs in. */
export interface RedisCredentials {
  /** Default: the user `default` of Redis. */
  username?: string
  /** The password, or a token. */
  password: string
  /** When the password stops being valid: a Date, or milliseconds since 1970. Default: never. */
  expiresAt?: Date | number
}

/** Returns the current credentials, or a promise of them, for example a token of the cloud provider. */
export type GetCredentials = () => RedisCredentials | Promise<RedisCredentials>

/** @throws TypeError that does not repeat what was returned */
export function checkedCredentials(value: unknown): RedisCredentials {
  const { username, password, expiresAt } = (value ?? {}) as Partial<Record<string, unknown>>
  const isName = username === undefined || (typeof username === 'string' && username !== '')
  const isDate = expiresAt === undefined || Number.isFinite(Number(expiresAt as number))
  if (isName && isDate && typeof password === 'string' && password !== '') return value as RedisCredentials
  throw new TypeError(
    'the "credentials" function must return { username, password, expiresAt }: texts, and a Date or milliseconds',
  )
}
