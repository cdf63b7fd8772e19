export interface FieldDescription {
  name: string
  value: string
  /** Whether the field belongs to the store, not to the shop. */
  bookkeeping: boolean
  /** An explanation for visitors. */
  about: string
  /** The words of a bookkeeping field, each with its meaning. */
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

/** The meaning of each word, for bookkeeping fields of several words. */
const WORDS: Record<string, readonly string[]> = {
  '@': [
    'begun: microseconds since 1970',
    'last seen: milliseconds after that',
    'idle timeout in milliseconds',
    'saves so far',
    'cookie attributes, one letter each',
    'bytes of the properties, names and values',
  ],
  '@renew': [
    'how often the id was renewed',
    'when: milliseconds since 1970',
    'u: your browser has not come with it yet; c: it has',
    'how long the id before is served then, in milliseconds',
    'key that the ids are made with; masked here',
  ],
  '@ip4': ['leading bits of the address that count', 'salt', 'keyed digest of them'],
  '@ip6': ['leading bits of the address that count', 'salt', 'keyed digest of them'],
  '@ua': ['browser and system count, versions do not', 'salt', 'keyed digest of them'],
  '@ch': ['what the browser says of itself beside that', 'salt', 'keyed digest of it'],
}

const ABOUT_BOOKKEEPING: Record<string, string> = {
  '@': 'Six short words, numbers in base 36, so that Redis can keep the hash compact.',
  '@login': 'When you last typed your password: milliseconds since 1970 in base 36. 0: it has to be typed again.',
  '@renew': 'Which id of this session is the current one. Numbers in base 36.',
  '@ip4': 'The network this session is bound to. No address: nobody can tell it from this.',
  '@ip6': 'The network this session is bound to. No address: nobody can tell it from this.',
  '@ua': 'The kind of browser this session is bound to.',
  '@ch': 'The client hints of that browser.',
  '@lv': 'How surely you have proved who you are, when, and how.',
  '@dk': 'The public key of the device that this session is bound to.',
  '@dc': 'What that device has to sign next.',
  '@db': 'Since when it is bound, and the key of the cookies that prove it; masked here.',
  '@client':
    'What this browser is called on the page of your devices. A shop that does not ask for it stores nothing of the kind.',
  '@i:user': 'The user under whom this session is indexed, so that all sessions of a user can be ended together.',
}

export function describeField(name: string, text: string): FieldDescription {
  const bookkeeping = name.startsWith('@') && !name.startsWith('@@')
  const value = masked(name, text)
  return {
    name,
    value,
    bookkeeping,
    about: bookkeeping ? aboutBookkeeping(name) : (ABOUT[name] ?? ''),
    words: WORDS[name] ? value.split(' ').map((word, i) => ({ text: word, about: WORDS[name]?.[i] ?? '' })) : [],
  }
}

/** Hides secrets that a visitor should not have in a screenshot. */
function masked(name: string, value: string): string {
  if (name === 'csrfToken') return `${value.slice(0, 5)}…"`
  if (name === '@renew') return value.replace(/ (\S{3})\S*$/, ' $1…')
  if (name === '@db') return value.replace(/^(\S{3})\S*/, '$1…')
  return value
}

function aboutBookkeeping(name: string): string {
  if (name.startsWith('@cookie')) return 'Cookie attributes that no letter stands for.'
  return ABOUT_BOOKKEEPING[name] ?? ''
}
