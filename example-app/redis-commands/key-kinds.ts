/** Where the keys of this shop begin, and what pages call them. */
export function keyKinds(namespace: string): (key: string | undefined) => string {
  const kinds: [prefix: string, kind: string][] = [
    [`${namespace}sess:`, 'session'],
    [`idx:${namespace}sess:`, 'index of users'],
    [`${namespace}shop:user:`, 'account'],
    [`${namespace}${EXPERIMENTS}`, 'experiment'],
    [`idx:${namespace}${EXPERIMENTS}`, 'experiment'],
  ]
  return (key = '') => kinds.find(([prefix]) => key.startsWith(prefix))?.[1] ?? 'no session'
}

/** Where the keys of the page "Two requests at once" begin. */
export const EXPERIMENTS = 'experiment:'
