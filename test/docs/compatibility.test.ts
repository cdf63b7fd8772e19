import { readFileSync } from 'node:fs'

const page = readFileSync('docs/compatibility.md', 'utf8')
const servers = [...readFileSync('scripts/servers.mjs', 'utf8').matchAll(/^ {2}'([\w.-]+)': \{ suite/gm)].map(
  ([, name]) => name,
)

test('every server that a run can get is on the page, with its command, and in the workflow', () => {
  expect(servers.length).toBeGreaterThan(4)
  for (const name of servers) expect(page).toContain(`\`npm test -- --server=${name}\``)
  expect(readFileSync('.github/workflows/ci.yml', 'utf8')).toContain(`server: [${servers.join(', ')}]`)
})

test('every row has figures, or says that it was not run', () => {
  const rows = page.split('\n').filter((line) => /^\| .*\| `np[mx] /.test(line))
  expect(rows.length).toBeGreaterThan(6)
  for (const row of rows) expect(row).toMatch(/\| (\d+ \| \d+ \| \d+|ok|the tables above \| \||not run \| \|) \|/)
})
