/** Holds back whoever waits at it, until somebody opens it. */
export class Gate {
  /** Resolves when somebody waits at it. */
  readonly reached: Promise<void>
  readonly #opened: Promise<void>
  #arrive!: () => void
  #open!: () => void

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#arrive = resolve
    })
    this.#opened = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  wait(): Promise<void> {
    this.#arrive()
    return this.#opened
  }

  open(): void {
    this.#open()
  }
}
