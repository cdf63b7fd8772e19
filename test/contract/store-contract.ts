import type { Store } from 'express-session'
import type { Differences } from './differences.js'
import { basics } from './parts/basics.js'
import { callbacks } from './parts/callbacks.js'
import { cookies } from './parts/cookies.js'
import { expiry } from './parts/expiry.js'
import { liveSessions } from './parts/live-sessions.js'
import { propertyNames } from './parts/property-names.js'
import { Subject } from './parts/subject.js'
import { values } from './parts/values.js'

const PARTS: [topic: string, part: (subject: Subject) => void][] = [
  ['sessions', basics],
  ['values', values],
  ['property names', propertyNames],
  ['cookies', cookies],
  ['expiry', expiry],
  ['live sessions', liveSessions],
  ['callbacks', callbacks],
]

/**
 * Tests of what every express-session store must do. A store that passes can replace any other that passes.
 *
 * @param makeStore an empty store; called before each test
 * @param differences where this store may deviate, see differences.ts
 */
export function describeStoreContract(
  name: string,
  makeStore: () => Store | Promise<Store>,
  differences: Differences,
): void {
  describe(name, () => {
    const subject = new Subject(differences)
    beforeEach(async () => subject.use(await makeStore()))
    afterEach(async () => {
      subject.assertCalledOnce()
      await subject.clear()
    })
    for (const [topic, part] of PARTS) describe(topic, () => part(subject))
  })
}
