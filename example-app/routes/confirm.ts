import { rotateSession } from 'connect-redis-hash'
import { type Response, Router } from 'express'
import { generateToken } from '../csrf.js'
import { flash } from '../flash.js'
import { formText } from '../form-text.js'
import { FRESH_SECONDS, noteFreshness } from '../fresh-login.js'
import { localPath } from '../local-path.js'
import { showPage } from '../pages.js'
import { requireUser } from '../require-user.js'
import type { Users } from '../users.js'

/** Asks users who are logged in for their password again, then continues to the page they wanted. */
export function confirmRoutes(users: Users): Router {
  const router = Router()
  router.all('/confirm', requireUser(users))

  router.get('/confirm', noteFreshness, (req, res) => {
    const to = localPath(req.query.to, '/account')
    if (res.locals.isFresh) res.redirect(303, to)
    else showConfirm(res, to)
  })

  router.post('/confirm', async (req, res) => {
    const to = localPath(formText(req, 'to'), '/account')
    const user = await users.verify(res.locals.account.id, formText(req, 'password'))
    if (!user) return showConfirm(res.status(401), to, 'That is not the password of this account.')
    flash(req, 'confirmed')
    // Somebody else who had this session could read its pages, and the token in them.
    generateToken(req, true)
    // false: the session was ended meanwhile, by a logout.
    if (await rotateSession(req)) res.redirect(303, to)
    else res.redirect(303, '/login')
  })

  return router
}

function showConfirm(res: Response, to: string, problem = ''): void {
  showPage(res, 'confirm', { title: 'Is it you?', to, problem, minutes: FRESH_SECONDS / 60 })
}
