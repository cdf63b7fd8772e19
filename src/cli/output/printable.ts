/** Control characters, and those that turn the direction of text: a terminal obeys them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Makes a text safe to print: what applications keep in sessions may come from visitors. */
export function printable(text: string): string {
  return text.replace(OBEYED, escaped)
}

/** One line of JSON. */
export function jsonLine(value: unknown): string {
  return `${printable(JSON.stringify(value))}\n`
}
