import { type Described, describeSession } from '../../admin/describe.js'
import { type Property, propertiesJson, propertiesOf } from '../../admin/properties.js'
import { isEncryption } from '../../hash/encryption.js'
import { isHandle } from '../../ids/handle.js'
import type { AnyStoreOptions } from '../../options.js'
import { helped, helpOf, RESUME_OPTION, STORE_OPTIONS } from '../command.js'
import { CommandError, EXIT, type Io } from '../io.js'
import { jsonLine, printable } from '../output/printable.js'
import { paint, printTable } from '../output/table.js'
import { bytes, since, until } from '../output/times.js'
import { type Options, parse } from '../parse.js'
import { findByHandle } from '../target/find-by-handle.js'
import { withStore } from '../target/open-store.js'
import { urlIn } from '../target/url-in.js'
import { Walk } from '../target/walk.js'

export const SUMMARY = 'show one session: times, indexes, names and sizes of its properties'

export const OPTIONS = {
  handle: { type: 'string', value: 'handle', help: 'of the session; or give it without an option' },
  values: { type: 'boolean', default: false, help: 'show the values of the properties, too' },
  'encryption-key-env': {
    type: 'string',
    value: 'name',
    help: 'environment variable with the keys of the application, with commas between them: to show encrypted values',
  },
  ...RESUME_OPTION,
  ...STORE_OPTIONS,
} as const satisfies Options

const HELP = helpOf(
  'show <handle> [options] [url]',
  `Shows a session. It looks for its handle among all keys, and changes nothing.`,
  OPTIONS,
)

const NEEDS = ['scan', 'hmget', 'hkeys', 'hgetall', 'pttl', 'get', 'evalsha', 'eval']

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parse('show', args, OPTIONS)
  if (values.help) return helped(io, HELP)
  const handles = [...positionals.filter(isHandle), ...(values.handle === undefined ? [] : [values.handle])]
  const [handle] = handles
  if (handle === undefined || handles.length > 1 || !isHandle(handle)) {
    throw new CommandError('Give the handle of one session: connect-redis-hash sessions lists them.')
  }
  const encryption = encryptionFrom(values['encryption-key-env'], io)
  const { prefix, resume } = values
  const url = urlIn(positionals.filter((text) => !isHandle(text)))
  const target = { url, prefix, keyPrefix: values['key-prefix'], needs: NEEDS, options: { ...encryption } }
  return withStore(io, target, async (store) => {
    const walk = new Walk(io, store, { of: `show ${handle}`, resume, data: {} })
    const storedId = await findByHandle(store, walk, handle)
    if (storedId === undefined && walk.isStopped) return walk.stopped()
    const session = storedId === undefined ? null : await describeSession(store.context, storedId)
    if (session === null || storedId === undefined) {
      io.err(`There is no session with this handle under ${prefix} at ${store.address}.\n`)
      return EXIT.found
    }
    const properties = await propertiesOf(store, storedId)
    if (values.json) io.out(jsonLine({ ...session, ...propertiesJson(properties, () => values.values) }))
    else print(io, session, properties, values.values)
    return EXIT.fine
  })
}

function encryptionFrom(name: string | undefined, io: Io): Pick<AnyStoreOptions, 'encryption'> {
  if (name === undefined) return {}
  const text = io.env[name]
  if (text === undefined || text === '') {
    throw new CommandError('--encryption-key-env takes the name of an environment variable, and this one is not set.')
  }
  const encryption = { keys: text.split(',').map((key) => key.trim()), acceptPlaintext: true }
  if (!isEncryption(encryption)) {
    throw new CommandError('--encryption-key-env: this variable has no keys of 32 bytes in base64 or hex.')
  }
  return { encryption }
}

function print(io: Io, session: Described, properties: readonly Property[], withValues: boolean): void {
  const now = new Date()
  const time = (at: Date | null, relative: string) =>
    at === null ? relative : io.isTerminal ? `${at.toISOString()}  ${relative}` : at.toISOString()
  const rows: [string, string][] = [
    ['handle', session.handle],
    ['began', time(session.createdAt, since(session.createdAt, now))],
    ['last seen', time(session.seenAt, since(session.seenAt, now))],
    ['ends', time(session.expiresAt, until(session.expiresAt, now))],
    ...(session.client === undefined ? [] : ([['client', session.client]] as const)),
    ...(session.format === undefined ? [] : ([['format', 'a string of connect-redis']] as const)),
    ...Object.entries(session.indexes).map(([name, values]) => [name, values.join(', ')] as const),
  ].map(([name, text]) => [name ?? '', text ?? ''])
  for (const [name, text] of rows) {
    io.out(
      io.isTerminal ? `${paint(io, 'bold', name.padEnd(12))}${printable(text)}\n` : `${name}\t${printable(text)}\n`,
    )
  }
  if (properties.length === 0) return
  if (io.isTerminal) io.out('\n')
  const columns = [
    { title: 'PROPERTY' },
    { title: 'SIZE', isNumber: true },
    ...(withValues ? [{ title: 'VALUE' }] : []),
  ]
  printTable(
    // Somebody who asks for values wants all of them.
    withValues ? { ...io, columns: Number.POSITIVE_INFINITY } : io,
    columns,
    properties.map(({ name, bytes: size, value }) => [
      name,
      io.isTerminal ? bytes(size) : String(size),
      ...(withValues ? [value === undefined ? '(encrypted)' : JSON.stringify(value)] : []),
    ]),
  )
}
