/** A subclass adds its private fields to the given object instead of a new one. */
class Given {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: what this class is for
    return object
  }
}

/**
 * Attaches a value to a foreign object, invisible to other code. It acts like a WeakMap, but is meant for objects
 * that live as long as one request. Entries of a WeakMap keep the garbage collector busy, for a tenth of the time
 * that a read of a session takes; a private field costs next to nothing.
 */
export interface Attachment<T> {
  get(object: object): T | undefined
  set(object: object, value: T): void
  has(object: object): boolean
}

export function attachment<T>(): Attachment<T> {
  return class Attached extends Given {
    #value: T

    constructor(object: object, value: T) {
      super(object)
      this.#value = value
    }

    static get(object: object): T | undefined {
      return #value in object ? object.#value : undefined
    }

    static set(object: object, value: T): void {
      if (#value in object) object.#value = value
      else new Attached(object, value)
    }

    static has(object: object): boolean {
      return #value in object
    }
  }
}
