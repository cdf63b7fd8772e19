/** One of several processes that save a session at once. It opens requests, says so, and saves them when it is told to. */
import { RedisStore } from '../../src/index.js'
import { connect } from '../support/redis.js'
import { open, save } from './requests.js'

const [prefix = '', sid = '', process_ = '', requests = ''] = process.argv.slice(2)
const store = new RedisStore({ client: connect(), prefix, merge: ['cart'], timeout: 30_000 })
const opened = await Promise.all(Array.from({ length: Number(requests) }, () => open(store, sid)))
console.log('opened')
process.stdin.once('data', () => {
  const saved = opened.map((session, i) => {
    session.cart[`${process_}-${i}`] = i
    return save(session)
  })
  void Promise.all(saved).then(() => console.log('saved'))
})
// The test has gone, however it ended.
process.stdin.on('close', () => process.exit())
