import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { SUPPORT } from './demo-account.js'
import { hashPassword, verifyPassword } from './passwords.js'

export interface User {
  id: string
  name: string
}

/** The delivery address. */
export interface Address {
  street: string
  postcode: string
  town: string
}

export interface Account extends User {
  email: string
  address?: Address
  /** What the user may do beside shopping. Nobody can sign up with one. */
  role?: 'support'
}

type NewAccount = Omit<UserRecord, 'id' | 'address'>

interface UserRecord extends Account {
  password: string
}

/**
 * Stores accounts as JSON under `shop:user:<id>`. The id is a digest of the e-mail address, so that no key contains an
 * address.
 */
export class Users {
  readonly #client: Redis
  readonly #prefix: string

  constructor(client: Redis, prefix: string) {
    this.#client = client
    this.#prefix = prefix
  }

  /** Creates an account; resolves undefined if the address already has one. */
  async create(name: string, email: string, password: string): Promise<User | undefined> {
    return userId(email) === SUPPORT_ID ? undefined : this.#create({ name, email, password })
  }

  /** Checks address and password; resolves undefined if one is wrong, without revealing which. */
  async authenticate(email: string, password: string): Promise<User | undefined> {
    const id = userId(email)
    // It is made when somebody needs it, and again after somebody has deleted it.
    if (id === SUPPORT_ID && (await this.#read(id)) === undefined) await this.#create({ ...SUPPORT, role: 'support' })
    return this.verify(id, password)
  }

  /** Checks the password of a user who is logged in. */
  async verify(id: string, password: string): Promise<User | undefined> {
    const record = await this.#read(id)
    const correct = await verifyPassword(password, record?.password)
    return correct && record ? { id, name: record.name } : undefined
  }

  async find(id: string): Promise<Account | undefined> {
    const { password: _secret, ...account } = (await this.#read(id)) ?? {}
    return 'id' in account ? (account as Account) : undefined
  }

  async setAddress(id: string, address: Address): Promise<void> {
    const record = await this.#read(id)
    // With XX, an account that is deleted meanwhile stays deleted.
    if (record) await this.#client.set(this.#prefix + id, JSON.stringify({ ...record, address }), 'XX')
  }

  async remove(id: string): Promise<void> {
    await this.#client.del(this.#prefix + id)
  }

  async #create({ password, ...given }: NewAccount): Promise<User | undefined> {
    const id = userId(given.email)
    const email = normalise(given.email)
    const record: UserRecord = { ...given, id, email, password: await hashPassword(password) }
    // With NX, only one of two simultaneous sign-ups succeeds, and no account is ever overwritten.
    const created = await this.#client.set(this.#prefix + id, JSON.stringify(record), 'NX')
    return created ? { id, name: given.name } : undefined
  }

  async #read(id: string): Promise<UserRecord | undefined> {
    const text = await this.#client.get(this.#prefix + id)
    return text ? JSON.parse(text) : undefined
  }
}

export const SUPPORT_ID = userId(SUPPORT.email)

function normalise(email: string): string {
  return email.trim().normalize('NFKC').toLowerCase()
}

function userId(email: string): string {
  return createHash('sha256').update(normalise(email)).digest('base64url').slice(0, 22)
}
