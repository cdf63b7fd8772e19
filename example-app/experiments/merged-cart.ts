import type { Experiment } from './experiment.js'

export const MERGED_CART: Experiment = {
  slug: 'merged-cart',
  title: 'Two clicks, one basket',
  bug: 'Two requests put two teas into one basket, and one of the teas is gone.',
  code: `app.post('/cart/chai', async (req, res) => {
  await somethingSlow() // B adds sencha
  req.session.cart.chai = 1
  res.end()
})`,
  theirs: 'The basket that is saved last replaces the other one.',
  ours: "With the option merge: ['cart'], a save adds what others have put into the basket meanwhile.",
  async run(stage) {
    await stage.send('visitor', 'POST', '/cart/oolong')
    const [goOnA, goOnB] = [stage.holdHandler('A'), stage.holdHandler('B')]
    const chai = stage.send('A', 'POST', '/cart/chai')
    await goOnA.reached
    const sencha = stage.send('B', 'POST', '/cart/sencha')
    await goOnB.reached
    goOnB.open()
    await sencha
    goOnA.open()
    await chai
    const seen = await stage.send('visitor', 'GET', '/settings')
    const cart = (seen.cart ?? {}) as Record<string, number>
    const isRight = cart.oolong === 1 && cart.chai === 1 && cart.sencha === 1
    return { isRight, text: isRight ? 'All three teas are in the basket.' : 'The sencha that B has added is gone.' }
  },
}
