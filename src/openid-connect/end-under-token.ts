import type { SessionInfo } from '../session-info.js'
import type { AnyRedisStore } from '../store.js'
import type { LogoutToken } from './logout-token.js'

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
  const infos = await allUnder(store, index, sub)
  const unnamed = infos.filter(({ indexes }) => indexes[index]?.length === 1)
  if (unnamed.length === infos.length) return infos.length === 0 ? ended : ended + (await store.destroyBy(index, sub))
  let more = 0
  for (const { handle } of unnamed) more += await store.destroyBy(index, sub, { handle })
  return ended + more
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
