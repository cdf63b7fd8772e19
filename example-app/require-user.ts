import type { RequestHandler } from 'express'
import { isSessionOver } from './ended-session.js'
import { flash } from './flash.js'
import { via } from './local-path.js'
import type { Users } from './users.js'

/** Puts the visitor's account into `res.locals.account`. A visitor without an account is asked to log in. */
export function requireUser(users: Users): RequestHandler {
  return async (req, res, next) => {
    const { userId } = req.session
    const account = userId === undefined ? undefined : await users.find(userId)
    if (account) {
      res.locals.account = account
      return next()
    }
    // The account may have been deleted in another browser. Without a user, the session gets a new id and loses its
    // other data.
    const message = isSessionOver(req) ? 'session-over' : 'account-first'
    delete req.session.userId
    flash(req, message)
    // In a router, `path` lacks the path where the router is mounted.
    res.redirect(303, via('/login', req.baseUrl || req.path))
  }
}
