import { randomInt } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Experiment } from './experiment.js'
import type { Stage } from './stage.js'

export const EARLY_REDIRECT: Experiment = {
  slug: 'early-redirect',
  title: 'A redirect before the save',
  bug: 'The browser follows the redirect of a login before the session is saved, and is asked to log in.',
  code: `app.post('/login', (req, res) => {
  req.session.userId = user.id
  res.redirect('/account') // request B follows it
})`,
  theirs: 'express-session sends the redirect, and ends it when the save is done. Browsers do not wait for the end.',
  ours: 'secureSession sends nothing before Redis has confirmed the save. In other set-ups, saveBeforeResponse() does that.',
  async run(stage) {
    const userId = String(randomInt(1000, 9999))
    const save = stage.holdWrites('A')
    const login = stage.send('A', 'POST', `/login/${userId}`)
    await save.reached
    // What Node sends together with the save has left by then.
    await nextTurn()
    stage.step('A', 'has sent its save, which is slow to reach Redis')
    const isEarly = stage.isAnswered('A')
    if (!isEarly) {
      stage.step('visitor', 'has not had a byte of the response, and waits')
      save.open()
    }
    await login
    stage.step('visitor', isEarly ? 'has the redirect already, and follows it' : 'gets the redirect, and follows it')
    const seen = await stage.send('B', 'GET', '/account')
    const isRight = seen.userId === userId
    if (isEarly) await reload(stage, () => save.open())
    return { isRight, text: isRight ? 'The user sees their account.' : 'The user who has just logged in is nobody.' }
  },
}

/** Reload the page a moment later, and all is well: that makes this bug so hard to find. */
async function reload(stage: Stage, openSave: () => void): Promise<void> {
  openSave()
  await stage.isOver('A')
  stage.step('A', 'has its save confirmed, too late')
  stage.step('visitor', 'loads the page again')
  await stage.send('visitor', 'GET', '/account')
}
