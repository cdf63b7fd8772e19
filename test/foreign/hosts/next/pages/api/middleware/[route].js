import handle from '../[route]'

/** The documents of Next show this: a promise, which settles once. */
function runMiddleware(req, res, middleware) {
  return new Promise((resolve, reject) => {
    middleware(req, res, (result) => (result instanceof Error ? reject(result) : resolve(result)))
  })
}

export default async function handleWithSession(req, res) {
  await runMiddleware(req, res, globalThis.foreignHost.sessions)
  await handle(req, res)
}
