import type { SessionInfo } from '../session-info.js'
import type { AnyRedisStore } from '../store.js'
import type { LogoutToken } from './logout-token.js'

const ROUNDS = 20

/**
 * Ends the sessions that a logout token means: those under its `sid`; without one, all under its `sub`.
 *
 * With both, the token means one session at the provider. Sessions under the `sub` end as well where they have no `sid`
 * that could tell them apart: the application indexes users only.
 *
 * @returns how many have ended
 */
export async function endUnderToken(store: AnyRedisStore, index: string, { sid, sub }: LogoutToken): Promise<number> {
  const ended = sid === undefined ? 0 : await store.destroyBy(index, sid)
  if (sub === undefined) return ended
  if (sid === undefined) return store.destroyBy(index, sub)
  return ended + (await endUnnamed(store, index, sub))
}

/**
 * Ends the sessions under a user that have no `sid`. One that gets another id meanwhile is no longer found by its handle,
 * so this looks again until there is none left.
 *
 * @throws Error if there are always more; the provider then tries again
 */
async function endUnnamed(store: AnyRedisStore, index: string, sub: string): Promise<number> {
  let ended = 0
  for (let round = 0; round < ROUNDS; round++) {
    const infos = await allUnder(store, index, sub)
    const unnamed = infos.filter(({ indexes }) => indexes[index]?.length === 1)
    if (unnamed.length === 0) return ended
    if (unnamed.length === infos.length) return ended + (await store.destroyBy(index, sub))
    for (const { handle } of unnamed) ended += await store.destroyBy(index, sub, { handle })
  }
  throw new Error('sessions of a user get other ids all the time')
}

async function allUnder(store: AnyRedisStore, index: string, value: string): Promise<SessionInfo[]> {
  const limit = 100
  const infos: SessionInfo[] = []
  for (let page: SessionInfo[] | undefined; page === undefined || page.length === limit; ) {
    page = await store.findBy(index, value, { limit, after: infos.at(-1) })
    infos.push(...page)
  }
  return infos
}
