/*
 * Sessions as applications have them, from Passport's one property to forty. The generator is seeded: every run and every
 * contender gets the same ones.
 */

/** A generator of numbers from 0 to 1 (MINSTD). */
class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = (seed * 7919 + 12_345) % 2_147_483_647
    for (let i = 0; i < 4; i++) this.roll()
  }

  roll(): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647
    return this.#state / 2_147_483_647
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.roll() * (most - least + 1))
  }

  of<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)] as T
  }

  text(alphabet: string, length: number): string {
    return Array.from({ length }, () => alphabet[this.between(0, alphabet.length - 1)]).join('')
  }
}

const HEX = '0123456789abcdef'
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const WORDS = (
  'user account cart order last first next page path name email role locale theme visit login token state return url ' +
  'filter sort view search query step form draft message flash notice consent banner plan team project tenant group ' +
  'price total currency country city zip phone device client source campaign referrer experiment variant feature flag'
).split(' ')

/** Kinds of properties, the common ones more than once. */
const KINDS: readonly ((dice: Dice) => unknown)[] = [
  (dice) => dice.between(0, 9),
  (dice) => dice.between(1000, 9_999_999),
  (dice) => 1_790_000_000_000 + dice.between(0, 90_000_000_000),
  (dice) => new Date(1_790_000_000_000 + dice.between(0, 90_000_000_000)).toISOString(),
  (dice) => dice.roll() < 0.5,
  (dice) => dice.roll() < 0.5,
  (dice) => dice.of(['en', 'en-GB', 'de-DE', 'dark', 'light', 'admin', 'editor', 'free', 'EUR', 'USD', 'desc']),
  (dice) => dice.of(['en', 'en-GB', 'de-DE', 'dark', 'light', 'admin', 'editor', 'free', 'EUR', 'USD', 'desc']),
  (dice) => dice.text(HEX, 24),
  (dice) => dice.text(BASE64URL, dice.between(16, 43)),
  (dice) => `/${dice.of(WORDS)}/${dice.of(WORDS)}/${dice.between(1, 99_999)}`,
  (dice) => `/${dice.of(WORDS)}?${dice.of(WORDS)}=${dice.of(WORDS)}&page=${dice.between(1, 40)}`,
  (dice) => `${dice.of(WORDS)}.${dice.of(WORDS)}@${dice.of(WORDS)}.example`,
  (dice) => Array.from({ length: dice.between(2, 10) }, () => dice.of(WORDS)).join(' '),
  (dice) => Array.from({ length: dice.between(0, 6) }, () => dice.between(1, 9999)),
  (dice) => Object.fromEntries(names(dice, dice.between(1, 3)).map((name) => [name, dice.between(1, 99)])),
  (dice) => ({ sku: dice.text(HEX, 8), quantity: dice.between(1, 5), price: dice.between(1, 99) + 0.5 }),
]

/** Makes the content of a session: a fifth hold a user and little else, a fifth 16 to 40 properties. */
export function shapeOf(seed: number): Record<string, unknown> {
  const dice = new Dice(seed)
  const user = dice.roll() < 0.4 ? { passport: { user: dice.text(HEX, 24) } } : { userId: dice.text(HEX, 24) }
  const size = dice.roll()
  const more = size < 0.2 ? dice.between(0, 2) : size < 0.8 ? dice.between(3, 15) : dice.between(16, 39)
  const properties = names(dice, more).map((name) => [name, dice.of(KINDS)(dice)] as const)
  return { ...user, ...Object.fromEntries(properties) }
}

/** Names of properties: one word, or two in camel case, each name once. */
function names(dice: Dice, count: number): string[] {
  const found = new Set<string>()
  while (found.size < count) {
    const [first, second] = [dice.of(WORDS), dice.of(WORDS)]
    found.add(dice.roll() < 0.4 ? first : `${first}${second[0]?.toUpperCase()}${second.slice(1)}`)
  }
  return [...found]
}
