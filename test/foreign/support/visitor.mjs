/** No visitor waits longer for an answer, whatever has happened to Redis: the store gives up after one second. */
const PATIENCE_MS = 5000

/** A browser as far as sessions are concerned: it keeps cookies and sends them again. */
export class Visitor {
  #url
  #cookies = new Map()

  /** @param {string} url */
  constructor(url) {
    this.#url = url
  }

  /** A thief with the cookies of this one. */
  copy() {
    const copy = new Visitor(this.#url)
    for (const [name, value] of this.#cookies) copy.#cookies.set(name, value)
    return copy
  }

  /** The cookies as the header has them. */
  get cookie() {
    return [...this.#cookies].map((pair) => pair.join('=')).join('; ')
  }

  /** @param {string} path */
  get(path, headers = {}) {
    return this.#send('GET', path, headers)
  }

  /** @param {string} path */
  post(path, headers = {}) {
    return this.#send('POST', path, headers)
  }

  async #send(method, path, headers) {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const request = { method, headers: { cookie: this.cookie, ...headers }, redirect: 'manual', signal }
    const response = await fetch(this.#url + path, request).catch((cause) => {
      throw new Error(`${method} ${path} was not answered`, { cause })
    })
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(';', 1)[0].split(/=(.*)/)
      this.#cookies.set(name, value)
    }
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) }
  }
}
