import { Router } from 'express'
import { generateToken } from '../csrf.js'

/** Gives programs the token that a form would carry, as JSON, or as plain text for `Accept: text/plain`. */
export function csrfRoutes(): Router {
  const router = Router()
  router.get('/csrf', (req, res) => {
    const token = generateToken(req)
    if (req.accepts(['json', 'text']) === 'text') res.type('text').send(token)
    else res.json({ token })
  })
  return router
}
