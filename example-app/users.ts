import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { hashPassword, verifyPassword } from './passwords.js'

export interface User {
  id: string
  name: string
}

interface UserRecord extends User {
  email: string
  password: string
}

/** Accounts, as JSON under `shop:user:<id>`. The id is a digest of the address, so that no key carries an address. */
export class Users {
  readonly #client: Redis
  readonly #prefix: string

  constructor(client: Redis, prefix: string) {
    this.#client = client
    this.#prefix = prefix
  }

  /** Resolves undefined when the address already has an account. */
  async create(name: string, email: string, password: string): Promise<User | undefined> {
    const id = userId(email)
    const record: UserRecord = { id, name, email: normalise(email), password: await hashPassword(password) }
    // NX: of two sign-ups at the same time one wins, and no account is ever overwritten.
    const created = await this.#client.set(this.#prefix + id, JSON.stringify(record), 'NX')
    return created ? { id, name } : undefined
  }

  /** Resolves undefined when address or password is wrong; which one, nobody is told. */
  async authenticate(email: string, password: string): Promise<User | undefined> {
    const text = await this.#client.get(this.#prefix + userId(email))
    const record: UserRecord | undefined = text ? JSON.parse(text) : undefined
    const correct = await verifyPassword(password, record?.password)
    return correct && record ? { id: record.id, name: record.name } : undefined
  }
}

function normalise(email: string): string {
  return email.trim().normalize('NFKC').toLowerCase()
}

function userId(email: string): string {
  return createHash('sha256').update(normalise(email)).digest('base64url').slice(0, 22)
}
