import { connectRedis } from 'connect-redis-hash'
import { type SentinelRig, startSentinelRig } from '../support/sentinel-rig.js'
import { until } from '../support/until.js'
import { closeStores, isAllBack, KINDS, kindsOf, storeOn, works } from './side-connections.js'

afterEach(closeStores)

describe('behind Sentinels', () => {
  let rig: SentinelRig
  beforeAll(async () => {
    rig = await startSentinelRig({ downAfterMs: 1000 })
  })
  afterAll(() => rig.stop())

  test('a master that is killed: all of them find the new one', async () => {
    const client = connectRedis(rig.options)
    const other = connectRedis(rig.options)
    const elsewhere = storeOn(other, { cache: undefined, replicas: 0 }).store
    const { store, down, up } = storeOn(client)
    await works(store, client, elsewhere)
    const master = await rig.master()
    await master.kill()
    await until('there is a new master', async () => (await rig.master()) !== master)
    await master.start()
    await rig.healed()
    await works(store, client, elsewhere)
    await until('it has said that all are back', () => isAllBack(down(), up()))
    expect(kindsOf(down())).toEqual(KINDS)
  })
})
