import { SUPPORT } from '../../example-app/demo-account.js'
import { openShop } from './shop.js'
import { IPHONE, Visitor } from './visitor.js'

const shop = openShop()
const PAGES = '/admin/sessions/sessions'
const OWN = { 'Sec-Fetch-Site': 'same-origin' }

afterAll(() => shop.close())

async function support(): Promise<Visitor> {
  const visitor = new Visitor(shop.app, { ...OWN, Accept: 'text/html' })
  expect((await visitor.logIn(SUPPORT.email, SUPPORT.password)).status).toBe(303)
  return visitor
}

test('the login page shows the account of the support, and a page explains what it may do', async () => {
  for (const path of ['/login', '/admin']) {
    const { text } = await new Visitor(shop.app).get(path)
    for (const shown of [SUPPORT.email, SUPPORT.password]) expect(text).toContain(shown)
  }
})

test('who is not logged in is led to the login and back', async () => {
  const visitor = new Visitor(shop.app, { Accept: 'text/html' })
  expect((await visitor.get(PAGES)).headers.location).toBe('/login?to=%2Fadmin%2Fsessions')
  const { headers } = await visitor.logIn(SUPPORT.email, SUPPORT.password, { to: '/admin/sessions' })
  expect(headers.location).toBe('/admin/sessions')
  expect((await visitor.get(PAGES)).status).toBe(200)
})

test('the support sees whose sessions there are, but no values, no address, no id', async () => {
  const [ada, visitor] = [new Visitor(shop.app), await support()]
  const email = shop.newAddress()
  await ada.signUp('Ada Lovelace', email)
  const { text } = await visitor.get(PAGES)
  expect(text).toContain((await shop.nameOf(ada)).slice(0, 8))
  const handle = new RegExp(`sessions/(${(await shop.nameOf(ada)).slice(0, 8)}[\\w-]+)`).exec(text)?.[1]
  const one = await visitor.get(`/admin/sessions/sessions/${handle}`)
  expect(one.text).toContain('userId')
  for (const secret of [email, 'Lovelace', ada.sessionId, shop.keyOf(ada)]) {
    expect(text + one.text).not.toContain(secret)
  }
})

test('it ends nothing', async () => {
  const [ada, visitor] = [new Visitor(shop.app), await support()]
  await ada.signUp('Ada', shop.newAddress())
  const { userId } = await shop.sessionOf(ada)
  for (const fields of [{ all: 'true' }, { index: 'user', value: JSON.parse(userId as string) as string }]) {
    expect((await visitor.post('/admin/sessions/end', fields as never)).status).toBe(403)
  }
  expect(await shop.client.exists(shop.keyOf(ada))).toBe(1)
  expect((await visitor.get(PAGES)).text).toContain('Read only')
})

test('other users get 403, and nobody can sign up as the support, also before it exists', async () => {
  const visitor = new Visitor(shop.app)
  await visitor.signUp('Ada', shop.newAddress())
  expect((await visitor.get(PAGES)).status).toBe(403)
  const fresh = openShop()
  const mallory = new Visitor(fresh.app)
  expect((await mallory.signUp('Mallory', ` ${SUPPORT.email.toUpperCase()}`)).status).toBe(409)
  const role = { name: 'M', email: 'm@example.org', password: 'correct horse', role: 'support' }
  expect((await mallory.submit('/signup', '/signup', role)).status).toBe(303)
  expect((await mallory.get(PAGES)).status).toBe(403)
  expect((await new Visitor(fresh.app).logIn(SUPPORT.email, SUPPORT.password)).status).toBe(303)
  await fresh.close()
})

test('the account is there again after somebody has deleted it', async () => {
  const visitor = await support()
  await visitor.submit('/account/delete', '/account/delete', { sure: 'on' })
  expect((await visitor.get(PAGES)).status).toBe(303)
  expect((await (await support()).get(PAGES)).status).toBe(200)
})

test('a copy of the cookie in another browser has to confirm the password first', async () => {
  const thief = (await support()).copy({ 'User-Agent': IPHONE })
  expect((await thief.get(PAGES)).headers.location).toBe('/confirm?to=%2Fadmin%2Fsessions')
})
