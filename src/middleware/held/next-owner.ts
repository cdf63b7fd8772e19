import type { IncomingMessage } from 'node:http'

type Next = (err?: unknown) => void

const owners = new WeakMap<Next, IncomingMessage | 'several'>()

/**
 * Notes which request a `next` was made for. Express and Connect make one for each request. Others keep them in a pool:
 * @fastify/middie gives it to another request as soon as this one has passed, and an error told to it later would become
 * that other visitor's answer.
 */
export function noteOwner(next: Next, req: IncomingMessage): void {
  const owner = owners.get(next)
  if (owner === undefined) owners.set(next, req)
  else if (owner !== req) owners.set(next, 'several')
}

/** Whether `next` can be called once more when the request has long passed. */
export function isOwnedBy(next: Next, req: IncomingMessage): boolean {
  return owners.get(next) === req
}
