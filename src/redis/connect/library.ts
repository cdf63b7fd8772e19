import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Cluster, Redis } from 'ioredis'
import { moduleUrl } from './module-url.js'

/** What `connectRedis` and the command line take from ioredis. iovalkey has it, too. */
export interface Library {
  Redis: typeof Redis
  Cluster: typeof Cluster
}

const NAMES = ['ioredis', 'iovalkey']

let loaded: Library | undefined

/**
 * Loads ioredis, or iovalkey where only that is installed. An application that makes its clients itself may have
 * neither, so no file imports them.
 *
 * @param what what needs it, for the error message
 * @param toDo how to get it, for the error message
 * @throws Error that says what to install
 */
export function library(what: string, toDo = 'npm install ioredis'): Library {
  loaded ??= firstInstalled(NAMES) as Library | undefined
  if (loaded === undefined) throw new Error(`${what} needs the package ioredis (or iovalkey): ${toDo}`)
  return loaded
}

/** Loads the first of these packages that is installed: optional peers, which no file imports. */
export function firstInstalled(names: readonly string[]): unknown {
  // A bundle, or a linked copy of this package, lies elsewhere: then look from where the application has been started.
  for (const from of [moduleUrl, join(process.cwd(), 'package.json')]) {
    const load = createRequire(from)
    for (const name of names) {
      if (isInstalled(load, name)) return load(name)
    }
  }
  return undefined
}

function isInstalled(load: NodeJS.Require, name: string): boolean {
  try {
    load.resolve(name)
    return true
  } catch {
    return false
  }
}
