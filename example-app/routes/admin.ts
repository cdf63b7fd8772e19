import { adminRouter, type RedisStore } from 'connect-redis-hash'
import { type Request, type RequestHandler, type Response, Router } from 'express'
import { SUPPORT } from '../demo-account.js'
import { via } from '../local-path.js'
import { isOtherBrowser } from '../other-client.js'
import { showPage } from '../pages.js'
import { SUPPORT_ID, type Users } from '../users.js'

export const ADMIN = '/admin/sessions'

/** The library's pages for whoever runs the shop. Mount it at ADMIN, after the session. */
export function adminPages(store: RedisStore, users: Users): RequestHandler {
  return adminRouter({
    store,
    // Everybody knows the password of the demonstration account.
    readOnly: true,
    async authorize(request, response) {
      const [req, res] = [request as Request, response as Response]
      const { userId } = req.session
      if (userId === undefined) return res.redirect(303, via('/login', ADMIN))
      // A cookie that somebody took along must not open this page.
      if (isOtherBrowser(req)) return res.redirect(303, via('/confirm', ADMIN))
      const account = await users.find(userId)
      return account?.role === 'support' && account.email
    },
  })
}

/** Explains who gets in there, and what they may do. */
export function adminRoutes(): Router {
  const router = Router()
  router.get('/admin', (req, res) => {
    const { email, password } = SUPPORT
    const isSupport = req.session.userId === SUPPORT_ID
    showPage(res, 'admin', {
      title: 'Behind the counter',
      admin: ADMIN,
      email,
      password,
      isSupport,
    })
  })
  return router
}
