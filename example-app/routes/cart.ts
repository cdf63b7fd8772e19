import { type Request, Router } from 'express'
import { addToCart, cartLines, cartTotal, MAX_QUANTITY, withQuantity } from '../cart.js'
import { flash } from '../flash.js'
import { formText } from '../form-text.js'
import { showPage } from '../pages.js'
import { saveAndRedirect } from '../sessions.js'
import { findTea } from '../teas.js'

export function cartRoutes(): Router {
  const router = Router()

  router.get('/cart', (req, res) => {
    const { cart } = req.session
    showPage(res, 'cart', { title: 'Your basket', lines: cartLines(cart), total: cartTotal(cart), max: MAX_QUANTITY })
  })

  router.post('/cart/add', async (req, res, next) => {
    const tea = findTea(formText(req, 'tea'))
    if (!tea) return next()
    req.session.cart = addToCart(req.session.cart, tea, quantityIn(req) ?? 1)
    flash(req, `added:${tea.slug}`)
    await saveAndRedirect(res, `/#${tea.slug}`)
  })

  router.post('/cart/update', async (req, res, next) => {
    const tea = findTea(formText(req, 'tea'))
    const quantity = quantityIn(req)
    if (!tea || quantity === undefined) return next()
    req.session.cart = withQuantity(req.session.cart, tea, quantity)
    await saveAndRedirect(res, '/cart')
  })

  router.post('/cart/empty', async (req, res) => {
    delete req.session.cart
    flash(req, 'emptied')
    await saveAndRedirect(res, '/cart')
  })

  router.post('/cart/order', async (req, res) => {
    if (req.session.userId === undefined) {
      flash(req, 'log-in-first')
      return saveAndRedirect(res, '/login?to=cart')
    }
    const total = cartTotal(req.session.cart)
    if (total > 0) flash(req, 'ordered')
    delete req.session.cart
    await saveAndRedirect(res, '/')
  })

  return router
}

/** Undefined when the form says none, or says something that is no quantity. */
function quantityIn(req: Request): number | undefined {
  const text = formText(req, 'quantity')
  return /^\d{1,3}$/.test(text) ? Number(text) : undefined
}
