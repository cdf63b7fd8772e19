import { shapeOf } from './shapes.js'

/** Makes a text that is the same for every contender, and different for every session. */
export function text(length: number, seed: number): string {
  let state = seed + 1
  let result = ''
  while (result.length < length) {
    state = (state * 48_271) % 2_147_483_647
    result += state.toString(36)
  }
  return result.slice(0, length)
}

const fields = (length: number, seed: number) =>
  Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`field${i}`, text(length, seed * 8 + i)]))

const CONTENTS = {
  '8 fields x 20 B': (seed: number): Record<string, unknown> => fields(20, seed),
  '8 fields x 2 kB': (seed: number): Record<string, unknown> => fields(2000, seed),
  '16 kB and a counter': (seed: number): Record<string, unknown> => ({ visits: 17, ...fields(2000, seed) }),
  'nine fields': (): Record<string, unknown> => ({
    userId: 'u-12345678',
    name: 'Ada Lovelace',
    role: 'admin',
    locale: 'en-GB',
    theme: 'dark',
    cart: [1, 2, 3],
    csrfToken: 'k3J9x0Qw8Zr5Tt6Y1u2I',
    lastPage: '/products/42',
    visits: 17,
  }),
  'realistic shapes': shapeOf,
  'Passport only': (): Record<string, unknown> => ({ passport: { user: '5f1e7a9b2c3d4e5f60718293' } }),
}

export type Content = keyof typeof CONTENTS

export function contentOf(content: Content, seed: number): Record<string, unknown> {
  return CONTENTS[content](seed)
}

const COOKIES = {
  'session cookie': {},
  'maxAge, secure, lax': { maxAge: 1_800_000, secure: true, sameSite: 'lax' as const },
}

export type CookieKind = keyof typeof COOKIES

export function cookieOf(kind: CookieKind) {
  return { ...COOKIES[kind] }
}

/** Makes a session id of 32 characters, like those of express-session. */
export function sidOf(i: number): string {
  return String(i).padStart(32, 'abcdefghijklmnop')
}
