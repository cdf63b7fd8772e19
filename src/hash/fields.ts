import { BOOKKEEPING_FIELD } from './bookkeeping.js'

/** Fields and their texts. */
export type Fields = Map<string, string>

/**
 * The fields of a hash that was loaded, all but `@`: what Redis answered, and beside it what the texts stand for. Most
 * requests never look, so nothing is made of the two lists before somebody does.
 */
export class LoadedFields {
  readonly #reply: readonly string[]
  readonly #values: readonly unknown[]

  /**
   * @param reply `[field, text, field, text, …]`
   * @param values one for each pair: what the text stands for, if that can be compared at a glance; undefined if not
   */
  constructor(reply: readonly string[], values: readonly unknown[]) {
    this.#reply = reply
    this.#values = values
  }

  /** Arguments are in the order of those of a Map's `forEach`. */
  forEach(visit: (text: string, field: string, value: unknown) => void): void {
    const reply = this.#reply
    for (let i = 0; i < this.#values.length; i++) {
      const field = reply[2 * i] as string
      if (field !== BOOKKEEPING_FIELD) visit(reply[2 * i + 1] as string, field, this.#values[i])
    }
  }

  toMap(): Fields {
    const fields: Fields = new Map()
    this.forEach((text, field) => void fields.set(field, text))
    return fields
  }
}

/** @param flat `[field, text, field, text, …]`, as Redis answers */
export function pairsOf(flat: readonly string[]): [field: string, text: string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]] as [string, string])
}
