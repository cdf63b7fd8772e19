/*
 * What decoders of replies are made of. Redis may not be what answers: a proxy, or a server that only resembles it, may answer
 * anything. So each part of a reply is looked at before it is used.
 */

/** What every script returns: a list that begins with an integer, mostly one that says what has happened. */
export type ScriptReply = readonly [code: number, ...rest: unknown[]]

/** A script has not answered with what its header says. Carries nothing of the reply. */
export class UnexpectedReply extends Error {}

/** @throws UnexpectedReply */
export function unexpectedReply(): never {
  throw new UnexpectedReply('not what the header of the script says')
}

/** A client with `stringNumbers` hands integers out as text. NaN for what is none. */
export function toInteger(value: unknown): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  return Number.isInteger(number) ? (number as number) : Number.NaN
}

export function integerAt(reply: ScriptReply, at: number): number {
  const number = toInteger(reply[at])
  return Number.isNaN(number) ? unexpectedReply() : number
}

export function textAt(reply: ScriptReply, at: number): string {
  const text = reply[at]
  return typeof text === 'string' ? text : unexpectedReply()
}

/** A number that is written out. */
export function numberAt(reply: ScriptReply, at: number): number {
  const text = textAt(reply, at)
  const number = Number(text)
  return text === '' || Number.isNaN(number) ? unexpectedReply() : number
}

/** All texts from there on. */
export function textsFrom(reply: ScriptReply, from: number): string[] {
  const texts = reply.slice(from)
  return texts.every(isText) ? texts : unexpectedReply()
}

/** The same, where null stands for a field that there is not. */
export function fieldsFrom(reply: ScriptReply, from: number): (string | null)[] {
  const fields = reply.slice(from)
  return fields.every(isTextOrNull) ? fields : unexpectedReply()
}

/** A flat list `[field, text, field, text, …]` from there on, as Redis answers. */
export function hashFrom(reply: ScriptReply, from: number): string[] {
  return (reply.length - from) % 2 === 0 ? textsFrom(reply, from) : unexpectedReply()
}

/** Of scripts that return 1 or 0. */
export function isOne([code]: ScriptReply): boolean {
  return code === 1 || (code === 0 ? false : unexpectedReply())
}

/** Of scripts that begin with 1, and can only fail. */
export function done(reply: ScriptReply): ScriptReply {
  return reply[0] === 1 ? reply : unexpectedReply()
}

export function nothing(reply: ScriptReply): void {
  done(reply)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}
