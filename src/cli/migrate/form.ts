import { type Encryption, isEncryption } from '../../hash/encryption.js'
import type { Indexes } from '../../hash/index-fields.js'
import type { AnyContent } from '../../hash/session-content.js'
import { type HashIds, idMapper, isDigest } from '../../ids/id-mapper.js'
import { CommandError, type Io } from '../io.js'
import type { Options } from '../parse.js'

/** What every session is to become. */
export interface Form {
  to: 'hash' | 'connect-redis'
  /** How stored ids are made; false: ids stay as they are. */
  hashIds: HashIds
  /** The keys of the application; undefined: values stay as they are. */
  encryption: Encryption | undefined
  indexes: Indexes
  /** undefined: the prefix stays. */
  newPrefix: string | undefined
}

export const FORM_OPTIONS = {
  to: {
    type: 'string',
    default: 'hash',
    value: 'form',
    choices: ['hash', 'connect-redis'],
    help: 'hash (default), or connect-redis: strings, as connect-redis writes them',
  },
  index: {
    type: 'string',
    multiple: true,
    value: 'name=property',
    help: 'make the entries of this index from a property; user=passport.user for one within. May be repeated',
  },
  'hash-ids': { type: 'boolean', default: false, help: 'digests in place of ids, as with hashIds: true' },
  'hash-secret-env': {
    type: 'string',
    value: 'name',
    help: 'digests in place of ids, with the secret in this environment variable, as with hashIds: secret',
  },
  'encryption-key-env': {
    type: 'string',
    value: 'name',
    help: 'encrypt with the first key in this environment variable; more keys, after commas, only decrypt',
  },
  decrypt: { type: 'boolean', default: false, help: 'with --encryption-key-env: decrypt, encrypt nothing' },
  'to-prefix': { type: 'string', value: 'text', help: 'move all keys to this prefix' },
} as const satisfies Options

interface Values {
  to: string
  index?: string[]
  'hash-ids': boolean
  'hash-secret-env'?: string
  'encryption-key-env'?: string
  decrypt: boolean
  prefix: string
  'to-prefix'?: string
}

/** @throws CommandError that names the option, and repeats no secret */
export function formIn(values: Values, io: Io): Form {
  const { to, index = [], prefix, 'to-prefix': newPrefix } = values
  if (to !== 'hash' && to !== 'connect-redis') throw new CommandError('--to takes hash or connect-redis.')
  const form: Form = {
    to,
    hashIds: hashIdsIn(values, io),
    encryption: encryptionIn(values, io),
    indexes: index.map(indexIn),
    newPrefix,
  }
  if (to === 'connect-redis' && (form.hashIds !== false || form.indexes.length > 0 || newPrefix !== undefined)) {
    throw new CommandError(
      '--to connect-redis goes with none of --hash-ids, --hash-secret-env, --index and --to-prefix.',
    )
  }
  if (newPrefix === '') throw new CommandError('--to-prefix takes a text that is not empty.')
  if (newPrefix !== undefined && (newPrefix.startsWith(prefix) || prefix.startsWith(newPrefix))) {
    throw new CommandError('--to-prefix: neither prefix may begin with the other one.')
  }
  return form
}

/** Names the form, for a call that goes on where another one was stopped. It holds no secret. */
export function nameOf({ to, hashIds, encryption, indexes, newPrefix }: Form): string {
  const ids = hashIds === false ? '' : ' hashed'
  const values = encryption === undefined ? '' : encryption.decryptOnly ? ' decrypted' : ' encrypted'
  return `migrate ${to}${ids}${values} ${indexes.map(([name]) => name).join()} ${newPrefix ?? ''}`
}

function hashIdsIn({ 'hash-ids': isPlainDigest, 'hash-secret-env': name }: Values, io: Io): HashIds {
  if (name === undefined) return isPlainDigest
  if (isPlainDigest) throw new CommandError('Give --hash-ids or --hash-secret-env, not both.')
  return secretIn('hash-secret-env', name, io)
}

function encryptionIn({ 'encryption-key-env': name, decrypt, to }: Values, io: Io): Encryption | undefined {
  if (name === undefined) {
    if (decrypt) throw new CommandError('--decrypt needs the keys: --encryption-key-env=<name>.')
    return undefined
  }
  const keys = secretIn('encryption-key-env', name, io)
    .split(',')
    .map((key) => key.trim())
  const encryption = { keys, acceptPlaintext: true, decryptOnly: decrypt || to === 'connect-redis' }
  if (isEncryption(encryption)) return encryption
  throw new CommandError('--encryption-key-env: this variable has no keys of 32 bytes in base64 or hex.')
}

function secretIn(option: string, name: string, io: Io): string {
  const text = io.env[name]
  if (text !== undefined && text !== '') return text
  throw new CommandError(`--${option} takes the name of an environment variable, and this one is not set.`)
}

const INDEX = /^([A-Za-z]\w{0,31})=(.+)$/s

function indexIn(text: string): Indexes[number] {
  const [, name, property] = INDEX.exec(text) ?? []
  if (name !== undefined && property !== undefined) return [name, (session) => valueAt(session, property)]
  throw new CommandError('--index takes name=property, for example --index user=userId.')
}

/** Reads a property, or one within another one if the name has dots. */
function valueAt(session: AnyContent, property: string): unknown {
  if (Object.hasOwn(session, property)) return (session as Record<string, unknown>)[property]
  let value: unknown = session
  for (const name of property.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** Returns the stored id that a session is to have. */
export function storedIdIn({ hashIds }: Form, storedId: string): string {
  if (hashIds === false || isDigest(storedId)) return storedId
  return idMapper(hashIds).candidates(storedId)[0]
}
