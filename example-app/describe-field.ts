export interface FieldDescription {
  name: string
  value: string
  /** Written by the store for itself, not by the shop. */
  bookkeeping: boolean
  /** For people. */
  about: string
  /** The five words of `@`, each with its meaning. */
  words: { text: string; about: string }[]
}

const ABOUT: Record<string, string> = {
  userId: 'Who is logged in: a digest of the address, not the address.',
  name: 'How the shop greets you.',
  cart: 'Your basket: which tea, how many.',
  views: 'How often you have looked at the shop. This page does not count.',
  csrfToken: 'Proves that a form was sent from a page of this shop. Masked here.',
  flash: 'A message for the next page.',
}

const WORDS = [
  'begun: microseconds since 1970',
  'last seen: milliseconds after that',
  'idle timeout in milliseconds',
  'saves so far',
  'cookie attributes, one letter each',
]

export function describeField(name: string, value: string): FieldDescription {
  const bookkeeping = name.startsWith('@') && !name.startsWith('@@')
  return {
    name,
    value: name === 'csrfToken' ? `${value.slice(0, 5)}…"` : value,
    bookkeeping,
    about: bookkeeping ? aboutBookkeeping(name) : (ABOUT[name] ?? ''),
    words: name === '@' ? value.split(' ').map((text, i) => ({ text, about: WORDS[i] ?? '' })) : [],
  }
}

function aboutBookkeeping(name: string): string {
  if (name === '@') return 'Five short words, numbers in base 36, so that Redis can keep the hash compact.'
  if (name.startsWith('@cookie')) return 'Cookie attributes that no letter stands for.'
  return ''
}
