import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import autocannon from 'autocannon'
import { answerCalls } from './remote.js'
import { cookieHeader } from './site.js'

/** The visitors' connections; visitors have a process of their own. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function visit(port: number, i: number, path = '/', by = agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { agent: by, host: '127.0.0.1', port, path, headers: { cookie: cookieHeader(i) } }
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

async function assertKnown(port: number, by = agent): Promise<void> {
  const answer = await visit(port, 0, '/', by)
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

  /**
   * Sends so many requests a second, whether or not those before have been answered, every other one to the route that
   * changes the session. Resolves the milliseconds of each.
   */
  async pace(params: { port: number; sessions: number; perSecond: number; seconds: number }) {
    const { port, sessions, perSecond, seconds } = params
    // The application closes idle connections if it is halted between two rounds, so that each round needs new ones.
    const many = new Agent({ keepAlive: true, maxSockets: 50 })
    await assertKnown(port, many)
    const times: Record<'reads' | 'writes', number[]> = { reads: [], writes: [] }
    const visits: Promise<void>[] = []
    const begin = performance.now()
    for (let i = 0; i < perSecond * seconds; i++) {
      await sleep(Math.max(0, begin + (i * 1000) / perSecond - performance.now()))
      const kind = i % 2 === 0 ? 'reads' : 'writes'
      const start = performance.now()
      const visiting = visit(port, i % sessions, kind === 'reads' ? '/' : '/write', many).then((answer) => {
        if (answer !== '200 welcome back') throw new Error(`the application has failed a visitor: ${answer}`)
        times[kind].push(performance.now() - start)
      })
      visiting.catch(() => undefined)
      visits.push(visiting)
    }
    await Promise.all(visits)
    many.destroy()
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
