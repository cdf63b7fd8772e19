import { Agent, get } from 'node:http'
import autocannon from 'autocannon'
import { answerCalls } from './remote.js'
import { cookieHeader } from './site.js'

/** The visitors' connections; visitors have a process of their own. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function visit(port: number, i: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { agent, host: '127.0.0.1', port, headers: { cookie: cookieHeader(i) } }
    get(options, (res) => {
      let body = ''
      res.setEncoding('utf8')
      res.on('data', (chunk) => {
        body += chunk
      })
      res.on('end', () => resolve(`${res.statusCode} ${body}`))
      res.on('error', reject)
    }).on('error', reject)
  })
}

async function assertKnown(port: number): Promise<void> {
  const answer = await visit(port, 0)
  if (answer !== '200 welcome back') throw new Error(`the application does not know its visitor: ${answer}`)
}

const handlers = {
  /** Sends requests one after the other on one connection; resolves the milliseconds of each. */
  async latencies({ port, sessions, requests }: { port: number; sessions: number; requests: number }) {
    await assertKnown(port)
    const times: number[] = []
    for (let i = 0; i < requests; i++) {
      const start = performance.now()
      await visit(port, i % sessions)
      times.push(performance.now() - start)
    }
    return times
  },

  /** Sends requests on many connections in parallel; resolves the requests per second. */
  async flood(params: { port: number; sessions: number; connections: number; seconds: number }) {
    const { port, sessions, connections, seconds } = params
    await assertKnown(port)
    const requests = Array.from({ length: sessions }, (_, i) => ({ headers: { cookie: cookieHeader(i) } }))
    let made = 0
    const {
      requests: done,
      duration,
      errors,
      non2xx,
    } = await autocannon({
      url: `http://127.0.0.1:${port}`,
      connections,
      duration: seconds,
      // No two connections use the same session at the same time.
      setupClient: (client: { setRequests(list: object[]): void }) => {
        const first = Math.floor((made++ * sessions) / connections)
        client.setRequests([...requests.slice(first), ...requests.slice(0, first)])
      },
    })
    if (errors + non2xx > 0) throw new Error(`${errors} requests failed and ${non2xx} were refused`)
    return { requests: done.total, perSecond: done.total / duration }
  },
}

export type LoadHandlers = typeof handlers
answerCalls(handlers)
