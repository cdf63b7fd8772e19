import type { Change } from '../../admin/changes.js'
import { followChanges } from '../../admin/follow.js'
import { helped, helpOf, STORE_OPTIONS } from '../command.js'
import { EXIT, type Io } from '../io.js'
import { jsonLine, printable } from '../output/printable.js'
import { paint } from '../output/table.js'
import { type Options, parse } from '../parse.js'
import { indexText } from '../target/index-text.js'
import { type Opened, withStore } from '../target/open-store.js'
import { urlIn } from '../target/url-in.js'

export const SUMMARY = 'follow what happens to sessions, as it happens'

export const OPTIONS = { ...STORE_OPTIONS } as const satisfies Options

const HELP = helpOf(
  'watch [options] [url]',
  `Prints a line whenever a session is created, saved, touched or has ended, until Ctrl-C. Redis reports the changes (CLIENT
TRACKING); no setting is needed. Why a session has ended is known where the stores of the application have "broadcast".`,
  OPTIONS,
)

const NEEDS = ['client|id', 'client|tracking', 'subscribe', 'info', 'hmget', 'hkeys', 'pttl', 'get']
const COLOURS = { created: 'green', saved: 'cyan', touched: 'gray', changed: 'cyan', ended: 'red' } as const

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parse('watch', args, OPTIONS)
  if (values.help) return helped(io, HELP)
  const { prefix } = values
  const target = { url: urlIn(positionals), prefix, keyPrefix: values['key-prefix'], needs: NEEDS }
  return withStore(io, { ...target, options: { broadcast: true } }, async (store) => {
    if (io.isWatched) io.err(`Watching ${prefix} at ${store.address}. Ctrl-C ends it.\n`)
    await follow(io, store, values.json)
    return EXIT.fine
  })
}

/** Prints changes until the command is stopped. */
async function follow(io: Io, store: Opened, isJson: boolean): Promise<void> {
  const close = followChanges(store, {
    changed: (change) => io.out(isJson ? jsonLine(change) : lineOf(io, change)),
    missed: () => {
      if (!io.stop.aborted) io.err('Some changes may be missing here.\n')
    },
    warned: (text) => io.err(`${text}\n`),
  })
  await stopped(io.stop)
  close()
}

function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

function lineOf(io: Io, { at, event, handle, reason, indexes }: Change): string {
  const about = printable([reason, indexText({ indexes: indexes ?? {} })].filter(Boolean).join('  '))
  if (!io.isTerminal) return `${[at.toISOString(), event, handle, about].join('\t')}\n`
  return `${at.toISOString().slice(11, 19)}  ${paint(io, COLOURS[event], event.padEnd(7))}  ${handle}  ${about}\n`
}
