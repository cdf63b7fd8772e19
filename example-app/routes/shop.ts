import { Router } from 'express'
import { showPage } from '../pages.js'
import { hasSession } from '../sessions.js'
import { findTea, TEAS } from '../teas.js'

const FAREWELLS = new Map<unknown, string>([
  ['1', 'You are logged out. See you soon!'],
  ['deleted', 'Your account is deleted. Thank you for having been here.'],
])

export function shopRoutes(): Router {
  const router = Router()

  router.get('/', (req, res) => {
    if (hasSession(req)) req.session.views = (req.session.views ?? 0) + 1
    // After a logout there is no session to carry the message.
    const bye = FAREWELLS.get(req.query.bye)
    if (bye !== undefined) res.locals.flashes = [{ kind: 'good', text: bye }]
    showPage(res, 'shop', { title: 'Tea, and a look into your session', teas: TEAS, views: req.session.views ?? 0 })
  })

  // Here visitors without a session and without JavaScript put the first tea into the basket.
  router.get('/add/:slug', (req, res, next) => {
    const tea = findTea(req.params.slug)
    if (!tea) return next()
    showPage(res, 'add', { title: tea.name, tea })
  })

  return router
}
