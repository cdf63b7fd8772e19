import type { Attack } from './attack.js'
import { cookie } from './attacks/cookie.js'
import { device } from './attacks/device.js'
import { fixation } from './attacks/fixation.js'
import { lifetime } from './attacks/lifetime.js'
import { logout } from './attacks/logout.js'
import { redisContents } from './attacks/redis-contents.js'
import { stolenCookie } from './attacks/stolen-cookie.js'
import { mustServe, secureTarget, type Target, weakTargets } from './targets.js'

// Each attack runs twice: on a site with secureSession, and on one where it has to succeed; otherwise its failure would
// say nothing. The two sites differ only in their session middleware.

const attacks: Attack[] = [...fixation, ...logout, ...stolenCookie, ...cookie, ...redisContents, ...lifetime, ...device]
let target: Target | undefined

afterEach(async () => {
  await target?.close()
  target = undefined
})

for (const attack of attacks) {
  test(`${attack.name} fails against secureSession`, async () => {
    target = await secureTarget(attack.secure?.())
    expect(await attack.run(target)).toBe('failed')
    await mustServe(target)
  })

  test(`${attack.name} succeeds against ${attack.succeedsAgainst}`, async () => {
    target = await weakTargets[attack.succeedsAgainst](attack.weak)
    expect(await attack.run(target)).toBe('succeeded')
  })
}
