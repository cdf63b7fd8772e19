import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { RedisStore } from 'connect-redis-hash'
import { childScript } from '../support/child-script.js'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
let child: ChildProcess
let at: Record<'shop' | 'forum' | 'identity', string>

beforeAll(async () => {
  child = fork(childScript('test', 'hosts', 'oidc-provider.child.ts'), [prefix])
  ;[at] = await once(child, 'message')
})
afterAll(async () => {
  child.kill('SIGKILL')
  await new RedisStore({ client, prefix }).clear()
  await client.quit()
})

/** A browser that follows redirects, and keeps the cookies of each origin. */
class Browser {
  readonly #jars = new Map<string, Map<string, string>>()

  async open(address: string, form?: Record<string, string>): Promise<{ url: string; text: string }> {
    const { origin } = new URL(address)
    const jar = this.#jars.get(origin) ?? new Map<string, string>()
    this.#jars.set(origin, jar)
    const response = await fetch(address, {
      method: form === undefined ? 'GET' : 'POST',
      body: form === undefined ? null : new URLSearchParams(form),
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      redirect: 'manual',
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
    const location = response.headers.get('location')
    if (location !== null) return this.open(new URL(location, address).href)
    return { url: address, text: await response.text() }
  }

  /** Logs in at the provider where it asks for that, and agrees to whatever it asks. */
  async logIn(origin: string, login: string): Promise<string> {
    let page = await this.open(`${origin}/login`)
    while (page.url.startsWith(`${at.identity}/interaction/`)) {
      const prompt = /name="prompt" value="(\w+)"/.exec(page.text)?.[1] ?? ''
      page = await this.open(page.url, { prompt, login, password: 'any' })
    }
    return page.text
  }

  /** Logs out at the provider, which tells the applications. */
  async logOut(): Promise<void> {
    const { text } = await this.open(`${at.identity}/session/end`)
    const xsrf = /name="xsrf" value="([^"]*)"/.exec(text)?.[1] ?? ''
    await this.open(`${at.identity}/session/end/confirm`, { xsrf, logout: 'yes' })
  }

  async me(): Promise<string[]> {
    return [(await this.open(`${at.shop}/me`)).text, (await this.open(`${at.forum}/me`)).text]
  }
}

test('a logout at the provider ends the sessions of that browser in each application, and no other', async () => {
  const [laptop, phone] = [new Browser(), new Browser()]
  for (const browser of [laptop, phone]) {
    expect(await browser.logIn(at.shop, 'ada')).toBe('ada')
    expect(await browser.logIn(at.forum, 'ada')).toBe('ada')
    expect(await browser.me()).toEqual(['ada', 'ada'])
  }
  await laptop.logOut()
  expect(JSON.parse((await phone.open(`${at.shop}/failures`)).text)).toEqual([])
  expect(await laptop.me()).toEqual(['nobody', 'nobody'])
  expect((await phone.me())[0]).toBe('ada')
})
