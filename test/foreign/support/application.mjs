/** Makes callers wait for each other: all of them go on once so many have come. */
function meeting(size) {
  let waiting = []
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (waiting.length < size) return
      for (const go of waiting) go()
      waiting = []
    })
}

/**
 * The handlers that every host serves: each gets a request with a `session`, and resolves with what to answer as JSON.
 * The host mounts them and answers errors in its own way.
 *
 * @param {{ cut(): Promise<void> }} line the way to Redis
 */
export function application(line) {
  const both = meeting(2)
  const slowAndLogout = meeting(2)
  /** Lets the waiting request go on; the next request to /go calls it. */
  let letGo = () => {}
  const write = (name) => async (req) => {
    await both()
    req.session[name] = 'written'
    return 'written'
  }
  /** @type {[method: 'get' | 'post', path: string, handler: (req: any) => Promise<unknown>][]} */
  const routes = [
    ['get', '/session', async (req) => contentOf(req.session)],
    [
      'post',
      '/cart',
      async (req) => {
        req.session.cart = ['tea']
        return 'kept'
      },
    ],
    [
      'post',
      '/login',
      async (req) => {
        req.session.userId = 'ada'
        return 'welcome'
      },
    ],
    [
      'post',
      '/logout',
      async (req) => {
        await slowAndLogout()
        await new Promise((resolve, reject) => req.session.destroy((err) => (err ? reject(err) : resolve())))
        return 'bye'
      },
    ],
    ['post', '/a', write('a')],
    ['post', '/b', write('b')],
    [
      'post',
      '/slow',
      async (req) => {
        const released = new Promise((resolve) => {
          letGo = resolve
        })
        await slowAndLogout()
        await released
        req.session.late = 'written'
        return 'late'
      },
    ],
    [
      'post',
      '/fail',
      async (req) => {
        await line.cut()
        req.session.lost = 'written'
        return 'saved'
      },
    ],
  ]
  return { routes, letGo: () => letGo() }
}

/** The properties that the application has put into a session. */
export function contentOf({ userId, cart, a, b, late, lost }) {
  return { userId, cart, a, b, late, lost }
}
