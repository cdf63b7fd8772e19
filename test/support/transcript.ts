import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** One `$ command` of a console block, and the lines the page prints under it. */
export interface Step {
  command: string
  expected: string[]
}

export function steps(transcript: string): Step[] {
  const found: Step[] = []
  for (const line of transcript.trimEnd().split('\n')) {
    if (line.startsWith('$ ')) found.push({ command: line.slice(2), expected: [] })
    else if (line.startsWith('> ') && found.length > 0) found.at(-1)!.command += `\n${line.slice(2)}`
    else found.at(-1)?.expected.push(line)
  }
  return found
}

/** A line of the page as a pattern: `…` stands for what differs each time. */
export function pattern(line: string): RegExp {
  return new RegExp(`^${line.split('…').map(quote).join('.*')}$`)
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** Runs a command as a reader would type it. `prelude` is shell code that puts this machine in the reader's place. */
export async function typed(command: string, cwd: string, prelude: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('bash', ['-c', `${prelude}\n${command}`], { cwd })
  return stdout.replaceAll('\r', '').split('\n').filter(Boolean)
}
