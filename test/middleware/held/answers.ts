import { once } from 'node:events'
import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Response } from 'express'
import { createElement, Suspense, use } from 'react'
import { renderToPipeableStream } from 'react-dom/server'

const half = 'held '.repeat(1600)
export const text = half + half
const large = 'large '.repeat(180_000)
const file = join(mkdtempSync(join(tmpdir(), 'held-')), 'large.txt')
writeFileSync(file, large)

type Res = ServerResponse & { flush?: () => void }

/** One way to answer a request, as applications and other packages do. */
export interface Answer {
  /** The body that the visitor has to get. */
  body: string
  status?: number
  method?: 'HEAD'
  /** What the framework must have for it. */
  needs?: 'express' | 'http1'
  give(res: Res, req: IncomingMessage): unknown
}

/** Node's HTTP/2 does not return the response. */
function plain(res: Res): Res {
  res.setHeader('Content-Type', 'text/plain')
  return res
}

function inHalves(res: Res): void {
  res.write(half)
  res.end(half)
}

export const ANSWERS: Record<string, Answer> = {
  end: { body: text, give: (res) => plain(res).end(text) },
  'write, end': { body: text, give: (res) => inHalves(plain(res)) },
  'no body': { body: '', give: (res) => res.end() },
  'a byte': { body: 'x', give: (res) => plain(res).end('x') },
  'a Buffer': { body: text, give: (res) => plain(res).end(Buffer.from(text)) },
  'Content-Length': {
    body: text,
    give: (res) => {
      plain(res).setHeader('Content-Length', text.length)
      inHalves(res)
    },
  },
  writeHead: { body: text, give: (res) => res.writeHead(200, { 'content-type': 'text/plain' }).end(text) },
  'writeHead with an array': {
    body: text,
    give: (res) => res.writeHead(200, ['content-type', 'text/plain', 'x-success', '1']).end(text),
  },
  'writeHead with a message': {
    body: text,
    needs: 'http1',
    give: (res) => res.writeHead(200, 'Fine', { 'content-type': 'text/plain' }).end(text),
  },
  'writeHead twice': {
    body: text,
    give: (res) => {
      res.writeHead(200, { 'content-type': 'text/plain' })
      try {
        res.writeHead(200, { 'content-type': 'text/html' })
      } catch {
        // Node throws here too.
      }
      res.end(text)
    },
  },
  'implicit head by flushHeaders': {
    body: text,
    give: (res) => {
      plain(res).flushHeaders()
      inHalves(res)
    },
  },
  pipe: { body: text, give: (res) => Readable.from([half, half]).pipe(plain(res)) },
  'pipe of a megabyte': { body: large, give: (res) => createReadStream(file).pipe(plain(res)) },
  'pipeline of a megabyte': { body: large, give: (res) => pipeline(createReadStream(file), plain(res)) },
  'write, later end': {
    body: text,
    give: async (res) => {
      plain(res)
      res.write(half)
      await sleep(30)
      res.end(half)
    },
  },
  'a megabyte that waits for drain': {
    body: large,
    give: async (res) => {
      plain(res)
      for (let at = 0; at < large.length; at += 60_000) {
        if (!res.write(large.slice(at, at + 60_000))) await once(res, 'drain')
      }
      res.end()
    },
  },
  'server-sent events': {
    body: 'data: 1\n\ndata: 2\n\n',
    give: async (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
      res.flushHeaders()
      res.write('data: 1\n\n')
      res.flush?.()
      await sleep(30)
      res.end('data: 2\n\n')
    },
  },
  'a React stream': {
    body: `<main><!--$?--><template id="B:0"></template><p>waiting</p><!--/$--></main>`,
    give: (res) => {
      const later = sleep(30, 'and here')
      const Late = () => createElement('b', null, use(later))
      const fallback = createElement('p', null, 'waiting')
      const page = createElement('main', null, createElement(Suspense, { fallback }, createElement(Late)))
      res.setHeader('Content-Type', 'text/html')
      const stream = renderToPipeableStream(page, { onShellReady: () => stream.pipe(res) })
    },
  },
  'early hints': {
    body: text,
    needs: 'http1',
    give: (res) => {
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      plain(res)
      res.end(text)
    },
  },
  204: { body: '', status: 204, give: (res) => res.writeHead(204).end() },
  304: { body: '', status: 304, give: (res) => Object.assign(res, { statusCode: 304 }).end() },
  HEAD: { body: '', method: 'HEAD', give: (res) => plain(res).end(text) },
  'HEAD of a pipe': { body: '', method: 'HEAD', give: (res) => Readable.from([half, half]).pipe(plain(res)) },
  'res.send': { body: text, needs: 'express', give: (res) => (res as Response).type('txt').send(text) },
  'res.json': { body: JSON.stringify({ text }), needs: 'express', give: (res) => (res as Response).json({ text }) },
  'res.redirect': {
    body: 'Found. Redirecting to /ping',
    status: 302,
    needs: 'express',
    give: (res) => (res as Response).type('txt').redirect('/ping'),
  },
  'res.sendFile': { body: large, needs: 'express', give: (res) => (res as Response).sendFile(file) },
  'res.download': { body: large, needs: 'express', give: (res) => (res as Response).download(file) },
}
