import type { AdminAccess } from '../admin/admin-access.js'
import type { Change } from '../admin/changes.js'
import { followChanges } from '../admin/follow.js'
import type { Limits } from './limits.js'
import { TryAgain } from './try-again.js'

/** An entry of the live feed. `missed`: some changes before it are not told. */
export type FeedEntry = { id: number } & (
  | Change
  | { at: Date; event: 'missed' }
  | { at: Date; event: 'warning'; text: string }
)

/** Entries that a page shows, and that a visitor who comes back gets. */
const KEPT = 200

export interface Follower {
  entry(entry: FeedEntry): void
  /** The store is closed. */
  end(): void
}

/**
 * What happens to sessions, for everybody who follows it. Redis is asked for it from the first visitor until some time
 * after the last one.
 */
export class Feed {
  readonly #access: AdminAccess
  readonly #limits: Limits
  readonly #followers = new Set<Follower>()
  #kept: FeedEntry[] = []
  #id = 0
  #since: Date | undefined
  #stop: (() => void) | undefined
  #lingering: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(access: AdminAccess, limits: Limits) {
    this.#access = access
    this.#limits = limits
    access.closers.add(() => {
      this.#isClosed = true
      this.#pause()
      for (const follower of this.#followers) follower.end()
    })
  }

  /** The last entries, and since when there are any. It goes on gathering them for a while. */
  recent(): { entries: readonly FeedEntry[]; since: Date } {
    this.#run()
    this.#linger()
    return { entries: this.#kept, since: this.#since ?? new Date() }
  }

  /**
   * @returns a function that ends it
   * @throws TryAgain if there are too many already
   */
  join(follower: Follower): () => void {
    if (this.#isClosed || this.#followers.size >= this.#limits.followers) {
      throw new TryAgain('too many others follow the live feed')
    }
    this.#followers.add(follower)
    this.#run()
    clearTimeout(this.#lingering)
    return () => {
      this.#followers.delete(follower)
      this.#linger()
    }
  }

  #run(): void {
    if (this.#stop !== undefined || this.#isClosed) return
    this.#since = new Date()
    this.#stop = followChanges(this.#access, {
      changed: (change) => this.#add(change),
      missed: () => this.#add({ at: new Date(), event: 'missed' }),
      warned: (text) => this.#add({ at: new Date(), event: 'warning', text }),
    })
  }

  #linger(): void {
    clearTimeout(this.#lingering)
    if (this.#followers.size > 0) return
    this.#lingering = setTimeout(() => this.#pause(), this.#limits.lingerMs).unref()
  }

  #pause(): void {
    clearTimeout(this.#lingering)
    this.#stop?.()
    this.#stop = undefined
    // What happens from now on is missing.
    this.#kept = []
  }

  #add(news: Change | { at: Date; event: 'missed' } | { at: Date; event: 'warning'; text: string }): void {
    this.#id += 1
    const entry = { ...news, id: this.#id } as FeedEntry
    this.#kept.push(entry)
    if (this.#kept.length > KEPT) this.#kept.shift()
    for (const follower of this.#followers) follower.entry(entry)
  }
}
