import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpError } from '../http-error.js'
import type { Middleware } from '../middleware/session-request.js'
import type { StoreAccess } from '../requests/store-access.js'
import { endUnderToken } from './end-under-token.js'
import { checkHeader, InvalidToken, logoutToken } from './logout-token.js'
import { type BackchannelLogoutOptions, checkedBackchannelLogout, type ResolvedBackchannelLogout } from './options.js'
import { readLogoutToken } from './read-logout-token.js'

/**
 * Answers an OpenID Connect provider that logs a user out (OpenID Connect Back-Channel Logout 1.0; OWASP ASVS 5.0,
 * 7.6.1). Ends every session under the `sid` of the logout token; if the token has no `sid`, every session under its
 * `sub`. It finds the sessions with an index, which returns what the login got from the provider.
 *
 * Mount it with `app.post`, before middleware that asks for CSRF tokens. It answers 200 with an empty body, or 400 with
 * the reason why it refused the token; a token counts once. If Redis or the provider's keys are out of reach, it
 * answers 400 as well, as the specification demands, and the store emits a `warning` with the code
 * `backchannel-logout-failed`.
 *
 * Redis commands: EXISTS, those of `destroyBy`, and SET; if a token has both `sid` and `sub`, those of `findBy` as
 * well.
 *
 * @throws TypeError for unknown or malformed options; Error if jose is needed and not installed
 */
export function backchannelLogout(options: BackchannelLogoutOptions): Middleware {
  const resolved = checkedBackchannelLogout(options)

  return function backchannelLogout(req, res) {
    if (req.method !== 'POST') {
      res.setHeader('Allow', 'POST')
      send(res, 405, 'invalid_request', 'a logout token comes with POST')
      return
    }
    logOut(req, resolved).then(
      () => send(res, 200),
      (err: unknown) => refuse(req, res, resolved.access, err),
    )
  }
}

async function logOut(req: IncomingMessage, resolved: ResolvedBackchannelLogout): Promise<void> {
  const { store, access, index, verify } = resolved
  const text = await readLogoutToken(req)
  checkHeader(text)
  const token = logoutToken(await verify(text), resolved, Date.now())
  const digest = createHash('sha256')
    .update(JSON.stringify([resolved.issuer, token.id]))
    .digest('base64url')
  if (await access.tokens.isUsed(digest)) throw new InvalidToken('the token was used before')
  await endUnderToken(store, index, token)
  // Not before: the provider must be able to try again after a failure.
  await access.tokens.use(digest, token.usableUntilMs - Date.now())
}

function refuse(req: IncomingMessage, res: ServerResponse, access: StoreAccess, err: unknown): void {
  if (err instanceof InvalidToken || (err instanceof HttpError && err.expose)) {
    // Of a body that is too long, the rest is not read.
    if (!req.complete) res.setHeader('Connection', 'close')
    send(res, 400, 'invalid_request', err.message)
    return
  }
  const { code, name } = (err ?? {}) as { code?: unknown; name?: unknown }
  const message = `a provider's logout has ended no session, or not all of them (${String(code ?? name)})`
  access.announce('warning', { code: 'backchannel-logout-failed', message })
  send(res, 400, 'server_error', 'the logout has failed')
}

function send(res: ServerResponse, status: number, error?: string, description?: string): void {
  // Something else has answered meanwhile, such as a time limit of the application.
  if (res.headersSent) return
  res.statusCode = status
  res.setHeader('Cache-Control', 'no-store')
  if (error !== undefined) res.setHeader('Content-Type', 'application/json; charset=utf-8')
  res.end(error === undefined ? '' : JSON.stringify({ error, error_description: description }))
}
