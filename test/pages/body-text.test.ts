import { createServer } from 'node:http'
import request from 'supertest'
import { bodyText } from '../../src/pages/body-text.js'

test.each([
  ['somebody has set an encoding', true],
  ['nobody has', false],
])('the body is read, where %s, and its bytes are counted', async (_what, isText) => {
  const server = createServer((req, res) => {
    if (isText) req.setEncoding('utf8')
    bodyText(req, 6).then(
      (text) => res.end(text),
      (err: { status: number }) => res.writeHead(err.status).end(),
    )
  })
  await request(server).post('/').send('a=ö').expect(200, 'a=ö')
  await request(server).post('/').send('a=öööö').expect(413)
})
