import supertest from 'supertest'
import { Device } from '../support/device.js'
import { until } from '../support/until.js'
import { openShop } from './shop.js'
import { Visitor } from './visitor.js'

const plain = openShop()
const behindTls = openShop({ behindTls: true, deviceSeconds: 3 })

afterAll(() => Promise.all([plain.close(), behindTls.close()]))

async function thief(
  visitor: Visitor,
): Promise<{ before: string | undefined; after: string | undefined; text: string }> {
  const { text } = await visitor.get('/session')
  const shown = (name: string) => new RegExp(`class="thief-${name}">([^<]*)<`).exec(text)?.[1]
  return { before: shown('before'), after: shown('after'), text }
}

test('a copy of the cookies is worth as much as the login where the session is not bound', async () => {
  const ada = new Visitor(plain.app)
  await ada.signUp('Ada', plain.newAddress())
  expect(await thief(ada)).toMatchObject({ before: undefined, text: expect.stringContaining('not bound') })
  await ada.submit('/session', '/steal')
  await ada.submit('/session', '/steal/again')
  expect(await thief(ada)).toMatchObject({ before: 'Ada', after: 'Ada' })
})

test('it is worth nothing soon after where it is bound, and the owner goes on', async () => {
  const ada = new Visitor(behindTls.app, { 'X-Forwarded-Proto': 'https' })
  const device = new Device()
  const offer = (await ada.signUp('Ada', behindTls.newAddress())).headers['secure-session-registration'] as string
  const [, path = '', challenge = ''] = /path="([^"]*)";challenge="([^"]*)"/.exec(offer) ?? []
  const post = (headers: Record<string, string>) => {
    const browser = ada.headers
    ada.headers = { ...browser, ...headers }
    return ada.post(path, {}).finally(() => {
      ada.headers = browser
    })
  }
  const { body } = await post({ 'Secure-Session-Response': device.registration(challenge) })
  const id = { 'Sec-Secure-Session-Id': body.session_identifier as string }
  /** What the browser does before a request. */
  const refresh = async () => {
    const asked = (await post(id)).headers['secure-session-challenge'] as string
    const proof = device.proof(/^"([^"]*)"/.exec(asked)?.[1] ?? '')
    expect((await post({ ...id, 'Secure-Session-Response': proof })).status).toBe(200)
  }
  await refresh()
  await ada.submit('/session', '/steal')
  await until('the end of what was stolen', async () => {
    await refresh()
    await ada.submit('/session', '/steal/again')
    return (await thief(ada)).after === 'nobody'
  })
  await refresh()
  const { before, after, text } = await thief(ada)
  expect([before, after]).toEqual(['Ada', 'nobody'])
  expect(text).toContain('cannot give away')
  // The page says where the session cookie alone leads to.
  expect(text).toContain('leads to <code>/login</code>')
  const [alone = ''] = ada.cookie.split(';')
  const answer = await supertest(behindTls.app)
    .get('/account')
    .set({ ...ada.headers, Cookie: alone })
  expect(answer.headers.location).toBe('/login?to=%2Faccount')
})

test('nobody is stolen from without a login', async () => {
  const visitor = new Visitor(plain.app)
  await visitor.addTea('chai')
  expect((await thief(visitor)).text).not.toContain('/steal')
  expect((await visitor.submit('/signup', '/steal')).status).toBe(303)
})
