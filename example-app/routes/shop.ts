import { Router } from 'express'
import { showPage } from '../pages.js'
import { hasSession } from '../sessions.js'
import { findTea, TEAS } from '../teas.js'

export function shopRoutes(): Router {
  const router = Router()

  router.get('/', (req, res) => {
    if (hasSession(req)) req.session.views = (req.session.views ?? 0) + 1
    // After a logout there is no session left that could carry the message.
    if (req.query.bye === '1') res.locals.flashes = [{ kind: 'good', text: 'You are logged out. See you soon!' }]
    showPage(res, 'shop', { title: 'Tea, and a look into your session', teas: TEAS, views: req.session.views ?? 0 })
  })

  // Where a visitor without a session and without JavaScript puts the first tea into the basket.
  router.get('/add/:slug', (req, res, next) => {
    const tea = findTea(req.params.slug)
    if (!tea) return next()
    showPage(res, 'add', { title: tea.name, tea })
  })

  return router
}
