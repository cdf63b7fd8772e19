import { csrfSync } from 'csrf-sync'

/**
 * Every POST must carry the token of its session, as form field `_csrf` or header `x-csrf-token`. Pages make the token
 * only if they show a form (`csrfToken()` in the templates), because making it creates a session.
 */
export const { csrfSynchronisedProtection: csrfProtection, generateToken } = csrfSync({
  getTokenFromRequest: (req) => (req.body as { _csrf?: string } | undefined)?._csrf ?? req.get('x-csrf-token'),
  // 24 bytes are 48 characters: short enough for Redis's compact encoding of small hashes.
  size: 24,
})
