import { replyCode } from '../../redis/redis-error.js'
import { CommandError } from '../io.js'
import type { Target } from './target.js'

const BY_REPLY: Readonly<Record<string, string>> = {
  NOAUTH: 'it asks for a password, and the URL has none (redis://user:password@host).',
  WRONGPASS: 'it refuses the user name or password of the URL.',
}

const BY_SYSTEM: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there.',
  ENOENT: 'there is no such socket.',
  EACCES: 'this user may not open the socket.',
  ENOTFOUND: 'there is no host of that name.',
  EAI_AGAIN: 'the name of the host cannot be looked up now.',
  EHOSTUNREACH: 'no way leads to that host.',
  ENETUNREACH: 'no way leads to that network.',
  ETIMEDOUT: 'nothing answers: a firewall, or the wrong address?',
  ECONNRESET: 'it closes the connection at once. Does it take TLS only (rediss://)?',
  EPROTO: 'it does not speak TLS there. Try redis:// instead of rediss://.',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS there. Try redis:// instead of rediss://.',
}

/**
 * Explains why the server cannot be examined. It uses error codes only, because messages of ioredis may contain parts
 * of the URL.
 *
 * @throws err if it is a bug of this program
 */
export function unreachable(err: unknown, target: Target): CommandError {
  if (err instanceof TypeError || err instanceof RangeError || err instanceof ReferenceError) throw err
  return new CommandError(`Cannot use Redis at ${target.address}: ${reason(err, target)}`)
}

/** Redis before 6 has no code for this. */
export function isLoginRefused(err: unknown): boolean {
  const reply = replyCode(err)
  return reply === 'NOAUTH' || reply === 'WRONGPASS' || (reply === 'ERR' && /password|auth/i.test(String(err)))
}

function reason(err: unknown, target: Target): string {
  const { code = '', message = '' } = (err ?? {}) as { code?: string; message?: string }
  const reply = replyCode(err)
  const isRefused = isLoginRefused(err)
  if (isRefused && target.hasUser && !target.hasPassword) {
    return 'the URL has a user name but no password. A password alone is written redis://:password@host.'
  }
  if (BY_REPLY[reply]) return BY_REPLY[reply]
  if (code === 'ETIMEDOUT' && target.isTls) return `${BY_SYSTEM.ETIMEDOUT} Or does it not speak TLS (redis://)?`
  if (BY_SYSTEM[code]) return BY_SYSTEM[code]
  if (reply === 'DENIED')
    return 'it is in protected mode: without a password it takes connections of its own machine only.'
  if (isRefused) return BY_REPLY.WRONGPASS as string
  if (reply !== '') return `it answers with the error ${reply}.`
  if (message === 'Command timed out') return 'it takes the connection but does not answer within 3 seconds.'
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) {
    return `its TLS certificate cannot be verified (${code}). NODE_EXTRA_CA_CERTS=ca.pem names the authority that signed it.`
  }
  if (/RESP type|protocol error|queue state error/i.test(message)) return 'what answers there is no Redis.'
  const tls = target.isTls ? '' : ' Does it take TLS only (rediss://)?'
  return code === '' ? `it closes the connection.${tls}` : `${code}.`
}
