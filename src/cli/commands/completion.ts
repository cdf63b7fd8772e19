import { type Command, helped } from '../command.js'
import { CommandError, EXIT } from '../io.js'
import { type Options, parse } from '../parse.js'

const SHELLS = ['bash', 'zsh', 'fish'] as const
const PROGRAM = 'connect-redis-hash'

const OPTIONS = {
  help: { type: 'boolean', short: 'h', default: false, help: 'print this' },
} as const satisfies Options

const HELP = `Usage: ${PROGRAM} completion <bash|zsh|fish>

Prints a script that lets the shell complete commands and options:

bash   source <(${PROGRAM} completion bash)                      in ~/.bashrc
zsh    source <(${PROGRAM} completion zsh)                       in ~/.zshrc, after compinit
fish   ${PROGRAM} completion fish > ~/.config/fish/completions/${PROGRAM}.fish
`

/** @param commands all others, by name */
export function completionOf(commands: Readonly<Record<string, Command>>): Command {
  const all = { ...commands, completion: { SUMMARY: 'print completions for bash, zsh or fish', OPTIONS } }
  return {
    ...all.completion,
    async run(args, io) {
      const { values, positionals } = parse('completion', args, OPTIONS)
      if (values.help) return helped(io, HELP)
      const shell = SHELLS.find((one) => one === positionals[0])
      if (shell === undefined || positionals.length > 1) {
        throw new CommandError(`Give one shell: ${PROGRAM} completion ${SHELLS.join('|')}`)
      }
      io.out({ bash: bash(all), zsh: zsh(all), fish: fish(all) }[shell])
      return EXIT.fine
    },
  }
}

type Described = Readonly<Record<string, Pick<Command, 'SUMMARY' | 'OPTIONS'>>>

/** Words that may follow a command. */
function wordsOf(name: string, { OPTIONS: options }: Described[string]): string {
  return [...(name === 'completion' ? SHELLS : []), ...Object.keys(options).map((option) => `--${option}`)].join(' ')
}

function choicesOf(commands: Described): [option: string, choices: string][] {
  const all = Object.values(commands).flatMap(({ OPTIONS: options }) => Object.entries(options))
  const chosen = all.flatMap(([name, { choices }]) =>
    choices === undefined ? [] : [[name, choices.join(' ')] as const],
  )
  return [...new Map(chosen)]
}

function bash(commands: Described): string {
  const cases = Object.entries(commands).map(([name, command]) => `    ${name}) words='${wordsOf(name, command)}' ;;`)
  const choices = choicesOf(commands).map(([name, words]) => `    --${name}) words='${words}' ;;`)
  return `# ${PROGRAM} completion bash
_connect_redis_hash() {
  local words=''
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words='${Object.keys(commands).join(' ')} --help --version'; fi
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
${choices.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _connect_redis_hash ${PROGRAM}
`
}

function zsh(commands: Described): string {
  const names = Object.entries(commands).map(([name, { SUMMARY }]) => `    ${quoted(`${name}:${SUMMARY}`)}`)
  const cases = Object.entries(commands).map(([name, { OPTIONS: options }]) => {
    const specs = Object.entries(options).map(([option, { help, type, value, choices }]) => {
      const text = help.replace(/[[\]:]/g, '\\$&')
      const argument = choices === undefined ? ':' : `:(${choices.join(' ')})`
      return quoted(`--${option}[${text}]${type === 'string' ? `:${value ?? option}${argument}` : ''}`)
    })
    if (name === 'completion') specs.push(quoted(`1:shell:(${SHELLS.join(' ')})`))
    return `    ${name}) _arguments ${specs.join(' ')} ;;`
  })
  return `#compdef ${PROGRAM}
_connect_redis_hash() {
  local -a commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT -= 1 ))
  case $words[1] in
${cases.join('\n')}
  esac
}
compdef _connect_redis_hash ${PROGRAM}
`
}

function fish(commands: Described): string {
  const names = Object.keys(commands).join(' ')
  const without = `not __fish_seen_subcommand_from ${names}`
  const lines = Object.entries(commands).flatMap(([name, { SUMMARY, OPTIONS: options }]) => {
    const within = `__fish_seen_subcommand_from ${name}`
    return [
      `complete -c ${PROGRAM} -f -n ${quoted(without)} -a ${name} -d ${quoted(SUMMARY)}`,
      ...(name === 'completion'
        ? [`complete -c ${PROGRAM} -f -n ${quoted(within)} -a ${quoted(SHELLS.join(' '))}`]
        : []),
      ...Object.entries(options).map(([option, { help, type, choices }]) => {
        const argument = choices !== undefined ? ` -x -a ${quoted(choices.join(' '))}` : type === 'string' ? ' -x' : ''
        return `complete -c ${PROGRAM} -n ${quoted(within)} -l ${option}${argument} -d ${quoted(help)}`
      }),
    ]
  })
  return `# ${PROGRAM} completion fish\ncomplete -c ${PROGRAM} -f\n${lines.join('\n')}\n`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
