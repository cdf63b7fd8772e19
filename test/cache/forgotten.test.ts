import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { childScript } from '../support/child-script.js'
import { socketPath } from '../support/redis.js'

test('a process that has closed its client, and not its store, is not kept alive by it', async () => {
  const args = [childScript('test', 'cache', 'forgotten.child.ts'), socketPath()]
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
})
