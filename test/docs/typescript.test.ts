import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { example } from '../support/markdown.js'

const PAGE = 'docs/typescript.md'
const STRICT = {
  strict: true,
  target: 'es2022',
  lib: ['es2024'],
  module: 'nodenext',
  moduleResolution: 'nodenext',
  skipLibCheck: false,
}

test('what the page declares is known to a strict compiler, also in the examples of other pages', () => {
  const dir = mkdtempSync(join(resolve('node_modules'), '.docs-'))
  try {
    writeFileSync(join(dir, 'session.d.ts'), example(PAGE, 'run', 'session.d.ts'))
    writeFileSync(join(dir, 'store.ts'), example(PAGE, 'run', 'store'))
    writeFileSync(join(dir, 'app.ts'), example(PAGE, 'run', 'app'))
    const use =
      "app.get('/cart', (req, res) => { const tea: number | undefined = req.session.cart?.tea?.count; res.json(tea) })"
    writeFileSync(join(dir, 'page.ts'), `${example('docs/secure-session.md', 'run', 'secure')}\n${use}`)
    const paths = { 'connect-redis-hash': [resolve('src/index.ts')] }
    const compilerOptions = { ...STRICT, paths, types: ['node'], noEmit: true }
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    const { status, stdout } = spawnSync(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', dir])
    expect([String(stdout), status]).toEqual(['', 0])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
