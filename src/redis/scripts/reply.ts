/*
 * Building blocks for decoders of replies. The answer may not come from Redis: a proxy, or a server that only
 * resembles it, may answer anything. So each part of a reply is checked before it is used.
 */

/** The reply of every script: a list that begins with an integer, usually a result code; or such a code alone. */
export type ScriptReply = readonly [code: number, ...rest: unknown[]]

/** Thrown if a reply does not match the header of its script. The error contains nothing of the reply. */
export class UnexpectedReply extends Error {}

/** @throws UnexpectedReply */
export function unexpectedReply(): never {
  throw new UnexpectedReply('not what the header of the script says')
}

/**
 * Converts a value to an integer, because a client with `stringNumbers` returns integers as strings. NaN if it is
 * not an integer.
 */
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

/** Returns a number that the reply holds as text. */
export function numberAt(reply: ScriptReply, at: number): number {
  const text = textAt(reply, at)
  const number = Number(text)
  return text === '' || Number.isNaN(number) ? unexpectedReply() : number
}

/** Returns all texts from this position on. */
export function textsFrom(reply: ScriptReply, from: number): string[] {
  const texts = reply.slice(from)
  return texts.every(isText) ? texts : unexpectedReply()
}

/** Returns all texts from this position on, with null for a field that does not exist. */
export function fieldsFrom(reply: ScriptReply, from: number): (string | null)[] {
  const fields = reply.slice(from)
  return fields.every(isTextOrNull) ? fields : unexpectedReply()
}

/** Returns a flat list `[field, text, field, text, …]` from this position on, as Redis sends it. */
export function hashFrom(reply: ScriptReply, from: number): string[] {
  return (reply.length - from) % 2 === 0 ? textsFrom(reply, from) : unexpectedReply()
}

/** Decodes replies of scripts that return 1 or 0. */
export function isOne([code]: ScriptReply): boolean {
  return code === 1 || (code === 0 ? false : unexpectedReply())
}

/** Checks replies of scripts that return 1 as their only result code. */
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
