import type { Described } from '../../admin/describe.js'
import type { IndexEntry } from '../../hash/index-fields.js'

/** Index values as `user=u-1 role=admin`. */
export function indexText({ indexes }: Pick<Described, 'indexes'>): string {
  return Object.entries(indexes)
    .flatMap(([name, values]) => values.map((value) => `${name}=${value}`))
    .join(' ')
}

export function entryText({ name, value }: IndexEntry): string {
  return `${name}=${value}`
}
