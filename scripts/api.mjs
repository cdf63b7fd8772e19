// npm run api: writes docs/api.md from the comments of the source.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiPage } from './api/page.mjs'
import { readExports } from './api/read-exports.mjs'
import { root } from './run.mjs'

const page = apiPage(readExports())
// A test compares the page with what this prints.
if (process.argv.includes('--print')) process.stdout.write(page)
else writeFileSync(join(root, 'docs', 'api.md'), page)
