import { Router } from 'express'
import { formText } from '../form-text.js'
import { PRETEND_COOKIE } from '../pretend.js'

export function pretendRoutes(): Router {
  const router = Router()
  router.post('/pretend', (req, res) => {
    const attributes = { httpOnly: true, sameSite: 'lax', secure: req.secure } as const
    if (formText(req, 'be') === 'myself') {
      res.clearCookie(PRETEND_COOKIE, attributes)
      return res.redirect(303, '/session')
    }
    res.cookie(PRETEND_COOKIE, '1', attributes)
    res.redirect(303, '/account')
  })
  return router
}
