import type { RequestHandler } from 'express'
import { flash } from './flash.js'
import { via } from './local-path.js'
import type { Users } from './users.js'

/** Puts the visitor's account into `res.locals.account`; who has none is asked to log in. */
export function requireUser(users: Users): RequestHandler {
  return async (req, res, next) => {
    const { userId } = req.session
    const account = userId === undefined ? undefined : await users.find(userId)
    if (account) {
      res.locals.account = account
      return next()
    }
    // Of an account that was deleted in another browser. Without a user, the session gets a new id and forgets the rest.
    delete req.session.userId
    flash(req, 'account-first')
    // Of a router, `path` is only what comes after the path where it is mounted.
    res.redirect(303, via('/login', req.baseUrl || req.path))
  }
}
