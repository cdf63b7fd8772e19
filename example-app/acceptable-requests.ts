import type { RequestHandler } from 'express'

const METHODS = ['GET', 'HEAD', 'POST']

/** Lets requests pass that pages of this shop could send; 405 for other methods, 415 for bodies that no form sends. */
export const refuseOtherMethods: RequestHandler = (req, res, next) => {
  if (METHODS.includes(req.method)) return next()
  if (req.method === 'OPTIONS') return void res.set('Allow', METHODS.join(', ')).status(204).end()
  next(Object.assign(new Error('method not allowed'), { status: 405 }))
}

/** Without this, a body of another type would be an empty form, and the answer would complain of a missing token. */
export const formsOnly: RequestHandler = (req, _res, next) => {
  if (req.headers['content-type'] === undefined || req.is('urlencoded') !== false) return next()
  next(Object.assign(new Error('not a form'), { status: 415 }))
}
