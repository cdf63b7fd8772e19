import { randomInt } from 'node:crypto'
import type { Experiment } from './experiment.js'

export const RESURRECTED_LOGOUT: Experiment = {
  slug: 'resurrected-logout',
  title: 'A resurrected logout',
  bug: 'A slow request saves after its user has logged out, and the session is back, with the user in it.',
  code: `app.get('/report', async (req, res) => {
  await somethingSlow() // B logs the user out
  req.session.lastPage = 'report'
  res.end()
})`,
  theirs: 'A save is a SET, which makes the key anew if it is gone.',
  ours: 'A save changes a session that exists. It never makes one that has ended.',
  async run(stage) {
    const userId = String(randomInt(1000, 9999))
    await stage.send('visitor', 'POST', `/login/${userId}`)
    const cookies = stage.copyCookies()
    const goOn = stage.holdHandler('A')
    const slow = stage.send('A', 'POST', '/set/lastPage/report')
    await goOn.reached
    await stage.send('B', 'POST', '/logout')
    goOn.open()
    await slow
    stage.step('visitor', 'comes again, with the cookie from before the logout')
    stage.useCookies(cookies)
    const seen = await stage.send('visitor', 'GET', '/account')
    const isRight = seen.userId === undefined
    return {
      isRight,
      text: isRight ? 'The user stays logged out.' : 'The user has logged out, and is logged in again.',
    }
  },
}
