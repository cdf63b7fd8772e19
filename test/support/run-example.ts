import * as ours from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { example } from './markdown.js'

interface Surroundings {
  /** What the example imports, by package. */
  modules?: Readonly<Record<string, object>>
  /** Other names that the example finds. */
  scope?: Readonly<Record<string, unknown>>
  /** Code before and after it, such as a return statement. */
  before?: string
  after?: string
}

/**
 * Runs an example of a page in this process. Its import declarations become assignments from `modules`: a package that
 * the test has not given is an error.
 */
export async function runExample(
  page: string,
  name: string,
  { modules = {}, scope = {}, before = '', after = '' }: Surroundings = {},
): Promise<unknown> {
  const code = `${before}\n${asScript(example(page, 'run', name), modules)}\n${after}`
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor
  const run = AsyncFunction('$modules', ...Object.keys(scope), code)
  return run(modules, ...Object.values(scope))
}

function asScript(code: string, modules: object): string {
  const imported = code.replace(/^import ([^']+?) from '([^']+)'[^\n]*$/gm, (_all, names: string, from: string) => {
    if (!Object.hasOwn(modules, from)) throw new Error(`the example imports ${from}, which the test has not given`)
    const [, standard, several] = /^(\w+)?(?:, )?(\{.+\})?$/s.exec(names) ?? []
    const source = `$modules[${JSON.stringify(from)}]`
    const whole = standard && `const ${standard} = ${source}.default ?? ${source}`
    const parts = several && `const ${several.replace(/(\w+) as (\w+)/g, '$1: $2')} = ${source}`
    return [whole, parts].filter(Boolean).join('; ')
  })
  return imported.replace(/^export /gm, '')
}

/**
 * This package, for an example that makes its client and store itself: they get a test's client, and its keys.
 *
 * @param timeout milliseconds that a busy machine may take; a test of an outage sets a short one
 */
export function packageHere(client: Redis, prefix: string, timeout = 60_000): object {
  return {
    ...ours,
    connectRedis: () => client,
    RedisStore: class extends ours.RedisStore {
      constructor(options: ours.RedisStoreOptions) {
        super({ ...options, client, prefix, timeout })
      }
    },
    secureSession: (options: ours.SecureSessionOptions) =>
      ours.secureSession({ ...options, client, prefix, timeout } as ours.SecureSessionOptions),
  }
}
