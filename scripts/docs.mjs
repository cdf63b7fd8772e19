// npm run docs: serves the documentation site on this machine, and shows what changes. With --build: builds and checks it.
import { join } from 'node:path'
import { ensureDependencies } from './dependencies.mjs'
import { checkSite } from './docs/check-site.mjs'
import { endWithNpm } from './end-with-npm.mjs'
import { installed, root, run } from './run.mjs'

endWithNpm()
const vitepress = installed('vitepress', 'bin', 'vitepress.js')
const [first, ...others] = process.argv.slice(2)
try {
  await ensureDependencies()
  if (first === '--build') {
    const code = await run(process.execPath, [vitepress, 'build', 'site'])
    const problems = code === 0 ? checkSite(join(root, 'site', 'dist')) : []
    for (const problem of problems) console.error(problem)
    process.exitCode = code || (problems.length > 0 ? 1 : 0)
  } else {
    const args = first === undefined ? [] : [first, ...others]
    process.exitCode = await run(process.execPath, [vitepress, 'dev', 'site', ...args])
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
