import { parseArgs } from 'node:util'
import { isHandle } from '../ids/handle.js'
import { CommandError } from './io.js'

export interface Option {
  type: 'string' | 'boolean'
  short?: string
  default?: string | boolean
  /** The option may be given several times. */
  multiple?: true
  /** What the value is, for the help: `--limit <number>`. */
  value?: string
  help: string
  /** The only values, for completion. */
  choices?: readonly string[]
}

export type Options = Readonly<Record<string, Option>>

type Parsed<O extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: O; allowPositionals: true; strict: true }>
>

/**
 * Parses the arguments of a command.
 *
 * @throws CommandError that names the wrong option. It repeats no value, which may be a URL with a password.
 */
export function parse<const O extends Options>(command: string, args: readonly string[], options: O): Parsed<O> {
  try {
    return parseArgs({ args: unambiguous(args, options), options, allowPositionals: true, strict: true }) as Parsed<O>
  } catch (err) {
    const { code, message } = err as { code?: string; message: string }
    if (code?.startsWith('ERR_PARSE_ARGS_') !== true) throw err
    const [name = 'this'] = /--?[a-z][\w-]*/i.exec(message) ?? []
    const see = `See connect-redis-hash ${command} --help`
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw new CommandError(`There is no such option: ${name}. ${see}`)
    const option = options[name.slice(2)]
    // With `=`, a value may begin with a dash.
    const takes = option?.type === 'string' ? `a value: ${name}=<${option.value ?? 'value'}>` : 'no value'
    throw new CommandError(`${name} takes ${takes}. ${see}`)
  }
}

/** Protects handles that begin with a dash: parseArgs would take them for options. */
function unambiguous(args: readonly string[], options: Options): string[] {
  const named: string[] = []
  const handles: string[] = []
  const isOption = (text: string) => Object.hasOwn(options, text.slice(2).split('=')[0] as string)
  for (let i = 0; i < args.length; i++) {
    const [arg, next] = [args[i] as string, args[i + 1]]
    if (arg === '--') return [...named, '--', ...handles, ...args.slice(i + 1)]
    const isDashed = (text: string | undefined): text is string =>
      text?.startsWith('-') === true && isHandle(text) && !isOption(text)
    if (isDashed(next) && arg.startsWith('--') && options[arg.slice(2)]?.type === 'string') {
      named.push(`${arg}=${next}`)
      i += 1
    } else if (isDashed(arg)) handles.push(arg)
    else named.push(arg)
  }
  return handles.length === 0 ? named : [...named, '--', ...handles]
}

/** Parses a whole number of at least 1. */
export function countIn(name: string, text: string): number {
  const count = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count) || count < 1) {
    throw new CommandError(`--${name} takes a whole number from 1 on.`)
  }
  return count
}
