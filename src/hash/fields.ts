import { BOOKKEEPING_FIELD } from './bookkeeping.js'

/** Texts by field. */
export type Fields = Map<string, string>

/**
 * The fields of a loaded hash except `@`: Redis's reply, and the decoded values. Most requests never look at them, so
 * no Map is built before it is needed.
 */
export class LoadedFields {
  readonly #reply: readonly string[]
  readonly #values: readonly unknown[]

  /**
   * @param reply `[field, text, field, text, …]`
   * @param values for each pair, the decoded value if it can be compared with `===`, otherwise undefined
   */
  constructor(reply: readonly string[], values: readonly unknown[]) {
    this.#reply = reply
    this.#values = values
  }

  /** The value comes last, so that the first two arguments have the order of `Map.prototype.forEach`. */
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

/** @param flat Redis's reply, `[field, text, field, text, …]` */
export function pairsOf(flat: readonly string[]): [field: string, text: string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]] as [string, string])
}
