/** A custom server has run the middleware: the session is on the request. */
export default async function handle(req, res) {
  const { routes } = globalThis.foreignHost
  const [, , handler] = routes.find(
    ([method, path]) => method === req.method.toLowerCase() && path === `/${req.query.route}`,
  )
  res.json(await handler(req))
}
