import { findTea, type Tea } from './teas.js'

/** Maps slugs to quantities. Names and prices stay in the catalogue, so that a cart is never out of date. */
export type Cart = Record<string, number>

export interface CartLine {
  tea: Tea
  quantity: number
  total: number
}

export const MAX_QUANTITY = 20

/** Returns a new cart with `quantity` of a tea, or without that tea if it is 0 or less. */
export function withQuantity(cart: Cart | undefined, tea: Tea, quantity: number): Cart {
  const { [tea.slug]: _old, ...others } = cart ?? {}
  return quantity > 0 ? { ...cart, [tea.slug]: Math.min(quantity, MAX_QUANTITY) } : others
}

export function addToCart(cart: Cart | undefined, tea: Tea, quantity: number): Cart {
  return withQuantity(cart, tea, (cart?.[tea.slug] ?? 0) + quantity)
}

export function cartLines(cart: Cart | undefined): CartLine[] {
  return Object.entries(cart ?? {}).flatMap(([slug, quantity]) => {
    const tea = findTea(slug)
    return tea ? [{ tea, quantity, total: quantity * tea.price }] : []
  })
}

export function cartCount(cart: Cart | undefined): number {
  return cartLines(cart).reduce((sum, line) => sum + line.quantity, 0)
}

export function cartTotal(cart: Cart | undefined): number {
  return cartLines(cart).reduce((sum, line) => sum + line.total, 0)
}
