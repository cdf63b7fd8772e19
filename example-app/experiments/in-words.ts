import type { Properties } from './stage.js'

/** Says in words what a session holds. */
export function inWords(properties: Properties): string {
  const words = Object.entries(properties).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
  return words.length === 0 ? 'nothing' : words.join(', ')
}
