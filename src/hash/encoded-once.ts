import type { KnownTexts } from './encode.js'

/**
 * Remembers the texts of one session object while an operation encodes it several times. A value that is changed in
 * place keeps its text, so use this only where such a change would come too late to be saved.
 */
export class EncodedOnce implements KnownTexts {
  readonly #before: KnownTexts | undefined
  readonly #texts = new Map<string, { value: unknown; text: string }>()

  /** @param before texts that are known already */
  constructor(before: KnownTexts | undefined) {
    this.#before = before
  }

  textOf(field: string, value: unknown): string | undefined {
    const known = this.#texts.get(field)
    return known !== undefined && Object.is(known.value, value) ? known.text : this.#before?.textOf(field, value)
  }

  learn(field: string, value: unknown, text: string): void {
    this.#texts.set(field, { value, text })
  }
}
