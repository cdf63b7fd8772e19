import type { Experiment } from './experiment.js'

export const LOST_UPDATE: Experiment = {
  slug: 'lost-update',
  title: 'A lost update',
  bug: 'Two requests change two different things of one session, and one of the changes is gone.',
  code: `app.post('/theme', async (req, res) => {
  await somethingSlow() // B sets the language
  req.session.theme = 'dark'
  res.end()
})`,
  theirs: 'Each save writes the whole session as its request has read it.',
  ours: 'Each save writes only the fields that its request has changed.',
  async run(stage) {
    await stage.send('visitor', 'POST', '/set/language/en')
    const goOn = stage.holdHandler('A')
    const slow = stage.send('A', 'POST', '/set/theme/dark')
    await goOn.reached
    await stage.send('B', 'POST', '/set/language/fr')
    goOn.open()
    await slow
    const seen = await stage.send('visitor', 'GET', '/settings')
    const isRight = seen.theme === 'dark' && seen.language === 'fr'
    return { isRight, text: isRight ? 'Both changes are kept.' : 'The language that B has set is gone.' }
  },
}
