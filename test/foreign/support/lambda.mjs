/**
 * Makes a listener that calls the handler of a Lambda function with the event that API Gateway makes of a request
 * (payload format 2.0), and answers with what the handler resolves.
 *
 * @param {(event: object, context: object) => Promise<any>} handler
 * @returns {import('node:http').RequestListener}
 */
export function asLambda(handler) {
  return (req, res) => void call(handler, req, res)
}

async function call(handler, req, res) {
  const [path, query = ''] = req.url.split('?')
  const { cookie, ...headers } = req.headers
  const event = {
    version: '2.0',
    rawPath: path,
    rawQueryString: query,
    headers,
    cookies: cookie ? cookie.split('; ') : [],
    requestContext: { http: { method: req.method, path, sourceIp: req.socket.remoteAddress } },
  }
  const result = await handler(event, {})
  const { statusCode, body, isBase64Encoded, cookies = [] } = result
  for (const [name, value] of Object.entries({ ...result.headers, ...result.multiValueHeaders }))
    res.setHeader(name, value)
  if (cookies.length > 0) res.setHeader('set-cookie', cookies)
  res.writeHead(statusCode).end(body, isBase64Encoded ? 'base64' : 'utf8')
}
