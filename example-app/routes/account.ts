import { type Request, type Response, Router } from 'express'
import { generateToken } from '../csrf.js'
import { flash } from '../flash.js'
import { formText } from '../form-text.js'
import { showPage } from '../pages.js'
import { COOKIE_NAME, destroy, REMEMBER_MS, regenerate, saveAndRedirect } from '../sessions.js'
import type { User, Users } from '../users.js'

/** A real shop would also limit how often a password may be tried, and confirm the address by e-mail. */
export function accountRoutes(users: Users): Router {
  const router = Router()

  router.get('/login', (req, res) => showLogin(res, { to: returnTo(req.query.to) }))

  router.post('/login', async (req, res) => {
    const email = formText(req, 'email')
    const to = returnTo(formText(req, 'to'))
    const user = await users.authenticate(email, formText(req, 'password'))
    if (!user) return showLogin(res.status(401), { email, to, problem: 'E-mail address or password is wrong.' })
    await logIn(req, user)
    flash(req, 'logged-in')
    await saveAndRedirect(res, `/${to}`)
  })

  router.get('/signup', (req, res) => showSignup(res, { to: returnTo(req.query.to) }))

  router.post('/signup', async (req, res) => {
    const [name, email, password] = [
      formText(req, 'name').trim(),
      formText(req, 'email').trim(),
      formText(req, 'password'),
    ]
    const to = returnTo(formText(req, 'to'))
    const problem = problemWith(name, email, password)
    if (problem) return showSignup(res.status(422), { name, email, to, problem })
    const user = await users.create(name, email, password)
    if (!user) {
      return showSignup(res.status(409), { name, email, to, problem: 'This address has an account already: log in.' })
    }
    await logIn(req, user)
    flash(req, 'signed-up')
    await saveAndRedirect(res, `/${to}`)
  })

  router.post('/logout', async (req, res) => {
    await destroy(req)
    res.clearCookie(COOKIE_NAME)
    res.redirect(303, '/?bye=1')
  })

  return router
}

/** A new id at login: an id that somebody planted in this browser before is worth nothing afterwards. */
async function logIn(req: Request, user: User): Promise<void> {
  const { cart } = req.session
  await regenerate(req)
  req.session.userId = user.id
  req.session.name = user.name
  if (cart) req.session.cart = cart
  // Longer than the browser is open: Redis keeps the session as long as the cookie.
  if (formText(req, 'remember') === 'on') req.session.cookie.maxAge = REMEMBER_MS
  generateToken(req)
}

function problemWith(name: string, email: string, password: string): string | undefined {
  if (name.length < 1 || name.length > 60) return 'Please tell us your name, in at most 60 characters.'
  if (email.length > 254 || !/^[^\s@]+@[^\s@]+$/.test(email)) return 'This does not look like an e-mail address.'
  if (password.length < 8 || password.length > 200) return 'A password has 8 to 200 characters.'
  return undefined
}

/** Only to places of ours: a free choice would let a link to this shop end somewhere else. */
function returnTo(value: unknown): 'cart' | '' {
  return value === 'cart' ? 'cart' : ''
}

function showLogin(res: Response, form: { email?: string; to: string; problem?: string }): void {
  showPage(res, 'login', { title: 'Log in', email: '', problem: '', ...form })
}

function showSignup(res: Response, form: { name?: string; email?: string; to: string; problem?: string }): void {
  showPage(res, 'signup', { title: 'Sign up', name: '', email: '', problem: '', ...form })
}
