import { BOOKKEEPING_FIELD } from './bookkeeping.js'

/** Texts by field. */
export type Fields = Map<string, string>

/** Fields with their texts, each field once. A list is made and compared faster than a Map. */
export type FieldList = readonly (readonly [field: string, text: string])[]

/** How many places are tried before a Map of all fields is made. That takes as long as trying some forty. */
const MAX_TRIED = 16

/**
 * The fields of a loaded hash except `@`: Redis's reply, and the decoded values. Most requests never look at them, so
 * no Map is built before it is needed.
 */
export class LoadedFields {
  readonly #reply: readonly string[]
  readonly #values: readonly unknown[]
  /** Where the field is probably that is asked for next: fields are nearly always asked for in their order. */
  #next = 0
  #places: Map<string, number> | undefined

  /**
   * Both arrays are kept as long as the request waits for Redis, so they should come from `slice`
   * (redis/clients/take-out.ts).
   *
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

  textOf(field: string): string | undefined {
    const place = this.#placeOf(field)
    return place === undefined ? undefined : this.#reply[2 * place + 1]
  }

  /** Returns the text of a field if its value is this one, and values of its kind can be compared. */
  textOfSame(field: string, value: unknown): string | undefined {
    const place = this.#placeOf(field)
    if (place === undefined || !Object.is(this.#values[place], value)) return undefined
    return this.#reply[2 * place + 1]
  }

  #placeOf(field: string): number | undefined {
    const reply = this.#reply
    const count = this.#values.length
    let place = this.#next
    for (let tried = 0; tried < Math.min(count, MAX_TRIED); tried++) {
      if (place >= count) place = 0
      if (reply[2 * place] === field) {
        this.#next = place + 1
        return place
      }
      place += 1
    }
    this.#places ??= new Map(this.#values.map((_, i) => [reply[2 * i] as string, i]))
    return this.#places.get(field)
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
