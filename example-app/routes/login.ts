import { endSession } from 'connect-redis-hash'
import { type Request, type Response, Router } from 'express'
import { SUPPORT } from '../demo-account.js'
import { flash } from '../flash.js'
import { formText } from '../form-text.js'
import { localPath } from '../local-path.js'
import { showPage } from '../pages.js'
import { REMEMBER_MS } from '../sessions.js'
import type { User, Users } from '../users.js'

/**
 * The routes of login, sign-up and logout. A real shop would also limit the number of attempts, and confirm addresses
 * by e-mail.
 */
export function loginRoutes(users: Users): Router {
  const router = Router()

  router.get('/login', (req, res) => showLogin(res, { to: localPath(req.query.to, '/') }))

  router.post('/login', async (req, res) => {
    const email = formText(req, 'email')
    const to = localPath(formText(req, 'to'), '/')
    const user = await users.authenticate(email, formText(req, 'password'))
    if (!user) return showLogin(res.status(401), { email, to, problem: 'E-mail address or password is wrong.' })
    logIn(req, user)
    flash(req, 'logged-in')
    res.redirect(303, to)
  })

  router.get('/signup', (req, res) => showSignup(res, { to: localPath(req.query.to, '/') }))

  router.post('/signup', async (req, res) => {
    const [name, email, password] = [
      formText(req, 'name').trim(),
      formText(req, 'email').trim(),
      formText(req, 'password'),
    ]
    const to = localPath(formText(req, 'to'), '/')
    const problem = problemWith(name, email, password)
    if (problem) return showSignup(res.status(422), { name, email, to, problem })
    const user = await users.create(name, email, password)
    if (!user) {
      return showSignup(res.status(409), { name, email, to, problem: 'This address has an account already: log in.' })
    }
    logIn(req, user)
    flash(req, 'signed-up')
    res.redirect(303, to)
  })

  router.post('/logout', async (req, res) => {
    await endSession(req, res)
    res.redirect(303, '/?bye=1')
  })

  return router
}

/** Logs a user in. The rest is done by secureSession: the new id, and the save before the redirect. */
function logIn(req: Request, user: User): void {
  req.session.userId = user.id
  req.session.name = user.name
  // The cookie then outlives the browser window, and Redis keeps the session as long.
  if (formText(req, 'remember') === 'on') req.session.cookie.maxAge = REMEMBER_MS
}

function problemWith(name: string, email: string, password: string): string | undefined {
  if (name.length < 1 || name.length > 60) return 'Please tell us your name, in at most 60 characters.'
  if (email.length > 254 || !/^[^\s@]+@[^\s@]+$/.test(email)) return 'This does not look like an e-mail address.'
  if (password.length < 8 || password.length > 200) return 'A password has 8 to 200 characters.'
  return undefined
}

function showLogin(res: Response, form: { email?: string; to: string; problem?: string }): void {
  showPage(res, 'login', { title: 'Log in', email: '', problem: '', support: SUPPORT, ...form })
}

function showSignup(res: Response, form: { name?: string; email?: string; to: string; problem?: string }): void {
  showPage(res, 'signup', { title: 'Sign up', name: '', email: '', problem: '', ...form })
}
