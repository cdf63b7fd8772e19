import { readFileSync } from 'node:fs'

const AsyncFunction = (async () => {}).constructor
const page = readFileSync(new URL('../recipes.md', import.meta.url), 'utf8')

/**
 * Runs an example of docs/recipes.md with these names in reach.
 *
 * @param {string} name
 * @param {Record<string, unknown>} scope
 * @param {string} [last] code to run after the example, such as a return statement
 */
export async function example(name, scope, last = '') {
  const [, code] = page.split(`<!-- run: ${name} -->\n\`\`\`js\n`)
  if (code === undefined) throw new Error(`docs/recipes.md has no example "${name}"`)
  return new AsyncFunction(...Object.keys(scope), `${code.split('\n```')[0]}\n${last}`)(...Object.values(scope))
}
