import { endSession } from 'connect-redis-hash'
import { type Request, type Response, Router } from 'express'
import { secondsSince } from '../elapsed.js'
import { flash } from '../flash.js'
import { formText } from '../form-text.js'
import { FRESH_SECONDS, freshLogin } from '../fresh-login.js'
import { showPage } from '../pages.js'
import { requireUser } from '../require-user.js'
import type { SessionHistory } from '../session-history.js'
import type { ShopSessions } from '../sessions.js'
import type { Address, Users } from '../users.js'

/** The routes of the account. All of them need a fresh login, because they are worth protecting. */
export function accountRoutes(users: Users, { store }: ShopSessions, history: SessionHistory): Router {
  const router = Router()
  router.all(['/account', '/account/delete'], requireUser(users), freshLogin)

  router.get('/account', (_req, res) => showAccount(res))

  router.post('/account', async (req, res) => {
    const address = addressIn(req)
    const problem = problemWith(address)
    if (problem) return showAccount(res.status(422), address, problem)
    await users.setAddress(res.locals.account.id, address)
    flash(req, 'address-saved')
    res.redirect(303, '/account')
  })

  router.get('/account/delete', (_req, res) => showPage(res, 'account-delete', { title: 'Delete your account' }))

  router.post('/account/delete', async (req, res) => {
    if (formText(req, 'sure') !== 'on') return res.redirect(303, '/account/delete')
    const { id } = res.locals.account
    await users.remove(id)
    // End the sessions on other devices, too.
    await store.destroyBy('user', id, { except: req.sessionID })
    await endSession(req, res)
    res.redirect(303, '/?bye=deleted')
  })

  async function showAccount(res: Response, address?: Address, problem = ''): Promise<void> {
    const { account } = res.locals
    const info = await store.info(res.req.sessionID)
    const login = info && history.of(info.handle)
    showPage(res, 'account', {
      title: 'Your account',
      account,
      address: address ?? account.address ?? { street: '', postcode: '', town: '' },
      problem,
      loginAge: login ? secondsSince(login.at) : undefined,
      within: FRESH_SECONDS,
    })
  }

  return router
}

function addressIn(req: Request): Address {
  return {
    street: formText(req, 'street').trim(),
    postcode: formText(req, 'postcode').trim(),
    town: formText(req, 'town').trim(),
  }
}

function problemWith({ street, postcode, town }: Address): string | undefined {
  if (street.length < 1 || street.length > 100) return 'Please tell us the street, in at most 100 characters.'
  if (postcode.length < 1 || postcode.length > 12) return 'Please tell us the postcode, in at most 12 characters.'
  if (town.length < 1 || town.length > 60) return 'Please tell us the town, in at most 60 characters.'
  return undefined
}
