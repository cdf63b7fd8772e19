import { type Request, Router } from 'express'
import { inWords } from './in-words.js'
import { visitOf } from './visit.js'

/** What both applications do. A handler that pauses is slow: an experiment decides when it goes on. */
export function experimentRoutes(): Router {
  const router = Router()

  router.post('/login/:userId', (req, res) => {
    const { userId } = req.params
    visitOf(req).step(`sets userId to ${userId}, and redirects to the account`)
    propertiesOf(req).userId = userId
    res.redirect(303, '/account')
  })

  router.post('/set/:property/:value', async (req, res) => {
    const { property, value } = req.params
    await visitOf(req).pause()
    visitOf(req).step(`sets ${property} to "${value}", and saves`)
    propertiesOf(req)[property] = value
    res.end()
  })

  router.post('/cart/:tea', async (req, res) => {
    const { tea } = req.params
    await visitOf(req).pause()
    visitOf(req).step(`puts ${tea} into the basket, and saves`)
    const properties = propertiesOf(req)
    properties.cart = { ...(properties.cart as object | undefined), [tea]: 1 }
    res.end()
  })

  router.post('/logout', (req, res, next) => {
    visitOf(req).step('is the logout: it destroys the session')
    req.session.destroy((error) => (error ? next(error) : res.end()))
  })

  router.get('/settings', (req, res) => {
    const { cookie: _cookie, ...properties } = propertiesOf(req)
    visitOf(req).step(`sees ${inWords(properties)}`)
    res.json(properties)
  })

  router.get('/account', (req, res) => {
    const { userId } = propertiesOf(req)
    visitOf(req).step(
      userId === undefined ? 'sees nobody logged in: "Please log in"' : `sees the account of user ${userId}`,
    )
    res.json({ userId })
  })

  return router
}

/** The properties that experiments use are not those of the shop. */
function propertiesOf(req: Request): Record<string, unknown> {
  return req.session as object as Record<string, unknown>
}
