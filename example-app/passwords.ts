import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'

/** Takes about 32 MB and a tenth of a second per password; one of the settings that OWASP lists for scrypt. */
const COST = { N: 2 ** 15, r: 8, p: 3 }
const KEY_BYTES = 32

/**
 * Hashes a password as `scrypt$N$r$p$salt$key`. The cost is stored with the key, so that it can be raised without
 * locking anyone out.
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  return format(salt, await derive(password, salt, COST))
}

/**
 * Verifies a password. It takes as long for an unknown user (`stored` undefined), so that the time does not reveal
 * which users exist.
 */
export async function verifyPassword(password: string, stored: string | undefined): Promise<boolean> {
  const { salt, key, cost } = parse(stored ?? NOBODY)
  const equal = timingSafeEqual(await derive(password, salt, cost), key)
  return equal && stored !== undefined
}

const NOBODY = format(Buffer.alloc(16), Buffer.alloc(KEY_BYTES))

function format(salt: Buffer, key: Buffer): string {
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), key.toString('base64url')].join('$')
}

function parse(stored: string) {
  const [scheme, N, r, p, salt, key] = stored.split('$')
  if (scheme !== 'scrypt' || !salt || !key) throw new Error('Unknown password format')
  const cost = { N: Number(N), r: Number(r), p: Number(p) }
  return { cost, salt: Buffer.from(salt, 'base64url'), key: Buffer.from(key, 'base64url') }
}

function derive(password: string, salt: Buffer, cost: typeof COST): Promise<Buffer> {
  const options: ScryptOptions = { ...cost, maxmem: 256 * cost.N * cost.r }
  return new Promise((resolve, reject) => {
    // Some keyboards compose é of two characters, others send one. Both are the same password.
    scrypt(password.normalize('NFKC'), salt, KEY_BYTES, options, (error, key) => (error ? reject(error) : resolve(key)))
  })
}
