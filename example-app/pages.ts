import type { RequestHandler, Response } from 'express'
import { cartCount } from './cart.js'
import { generateToken } from './csrf.js'
import { elapsed } from './elapsed.js'
import { hasCookie } from './ended-session.js'
import { short } from './event-log.js'
import { type Message, takeFlashes } from './flash.js'
import { localPath, via } from './local-path.js'
import { isOtherBrowser } from './other-client.js'
import { isPretending } from './pretend.js'
import { hasSession } from './sessions.js'
import { money } from './teas.js'

/**
 * Variables of every template. They are set before anything can fail, because the error page works without a session.
 *
 * @param cookieName name of the session cookie
 */
export function pageDefaults(cookieName: string): RequestHandler {
  return (req, res, next) => {
    Object.assign(res.locals, {
      money,
      elapsed,
      short,
      path: req.path,
      title: '',
      /** Seconds after which the browser asks for the page again. */
      refresh: undefined,
      hasCookie: hasCookie(req, cookieName),
      /** Whether nobody knows who this is: the visitor may be logged in, but their session could not be loaded. */
      isUnknown: hasCookie(req, cookieName),
      user: undefined,
      cartCount: 0,
      hasSession: false,
      flashes: [] as Message[],
      newName: undefined,
      isOtherBrowser: false,
      isPretending: false,
      confirmUrl: via('/confirm', localPath(req.path, '/')),
      csrfToken: () => '',
      commands: undefined,
      commandsBefore: undefined,
    })
    next()
  }
}

export const pageSession: RequestHandler = (req, res, next) => {
  // Pages contain private data, so no cache may keep them, not even the one behind the browser's back button.
  res.set('Cache-Control', 'no-store')
  res.locals.isUnknown = false
  res.locals.hasSession = hasSession(req)
  res.locals.isOtherBrowser = isOtherBrowser(req)
  res.locals.isPretending = isPretending(req)
  res.locals.csrfToken = () => generateToken(req)
  next()
}

/** Renders a page. It reads the session last, after the handler has changed it. */
export function showPage(res: Response, view: string, locals: { title: string } & Record<string, unknown>): void {
  const { req } = res
  if (req.session) {
    const { userId, name, cart } = req.session
    Object.assign(res.locals, {
      user: userId === undefined ? undefined : { name },
      cartCount: cartCount(cart),
      flashes: [...res.locals.flashes, ...takeFlashes(req)],
    })
  }
  res.render(view, locals)
}
