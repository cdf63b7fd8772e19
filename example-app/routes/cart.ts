import { type Request, Router } from 'express'
import { addToCart, cartLines, cartTotal, MAX_QUANTITY, withQuantity } from '../cart.js'
import { flash } from '../flash.js'
import { formText } from '../form-text.js'
import { via } from '../local-path.js'
import { showPage } from '../pages.js'
import { findTea } from '../teas.js'

export function cartRoutes(): Router {
  const router = Router()

  router.get('/cart', (req, res) => {
    const { cart } = req.session
    showPage(res, 'cart', { title: 'Your basket', lines: cartLines(cart), total: cartTotal(cart), max: MAX_QUANTITY })
  })

  router.post('/cart/add', (req, res, next) => {
    const tea = findTea(formText(req, 'tea'))
    if (!tea) return next()
    req.session.cart = addToCart(req.session.cart, tea, quantityIn(req) ?? 1)
    flash(req, `added:${tea.slug}`)
    res.redirect(303, `/#${tea.slug}`)
  })

  router.post('/cart/update', (req, res, next) => {
    const tea = findTea(formText(req, 'tea'))
    const quantity = quantityIn(req)
    if (!tea || quantity === undefined) return next()
    req.session.cart = withQuantity(req.session.cart, tea, quantity)
    res.redirect(303, '/cart')
  })

  router.post('/cart/empty', (req, res) => {
    delete req.session.cart
    flash(req, 'emptied')
    res.redirect(303, '/cart')
  })

  router.post('/cart/order', (req, res) => {
    if (req.session.userId === undefined) {
      flash(req, 'log-in-first')
      return res.redirect(303, via('/login', '/cart'))
    }
    const total = cartTotal(req.session.cart)
    if (total > 0) flash(req, 'ordered')
    delete req.session.cart
    res.redirect(303, '/')
  })

  return router
}

/** Reads the quantity; undefined if the form has none, or an invalid one. */
function quantityIn(req: Request): number | undefined {
  const text = formText(req, 'quantity')
  return /^\d{1,3}$/.test(text) ? Number(text) : undefined
}
