import type { IncomingMessage } from 'node:http'

type Next = (err?: unknown) => void

const owners = new WeakMap<Next, IncomingMessage | 'several'>()

/**
 * Notes which request a `next` belongs to. Express and Connect make one for each request. Other frameworks keep them in
 * a pool: @fastify/middie gives a `next` to another request as soon as this one has passed, and an error given to it
 * later would answer that other visitor.
 */
export function noteOwner(next: Next, req: IncomingMessage): void {
  const owner = owners.get(next)
  if (owner === undefined) owners.set(next, req)
  else if (owner !== req) owners.set(next, 'several')
}

/** Whether `next` still belongs to this request, so that it can be called again later. */
export function isOwnedBy(next: Next, req: IncomingMessage): boolean {
  return owners.get(next) === req
}
