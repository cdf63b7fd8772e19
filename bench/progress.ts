/** Reports progress on stderr: in a terminal one line that changes, otherwise one line per step. */
export class Progress {
  readonly #start = performance.now()
  readonly #isLive = process.stderr.isTTY === true
  #step = ''
  #done = 0
  readonly #steps: number

  constructor(steps: number) {
    this.#steps = steps
  }

  /** Begins the next row. */
  step(title: string): void {
    this.#done += 1
    this.#step = `[${this.#done}/${this.#steps}] ${title}`
    if (this.#isLive) this.#write(this.#step)
    else process.stderr.write(`${this.#time()} ${this.#step}\n`)
  }

  /** Shows the progress within a row, in a terminal only. */
  within(text: string): void {
    if (this.#isLive) this.#write(`${this.#step}: ${text}`)
  }

  /** Prints a line that stays. */
  say(text: string): void {
    process.stderr.write(`${this.#isLive ? '\r\x1b[K' : ''}${this.#time()} ${text}\n`)
  }

  end(): void {
    if (this.#isLive) process.stderr.write('\r\x1b[K')
  }

  #write(text: string): void {
    const width = (process.stderr.columns ?? 80) - 1
    process.stderr.write(`\r\x1b[K${`${this.#time()} ${text}`.slice(0, width)}`)
  }

  #time(): string {
    const seconds = Math.round((performance.now() - this.#start) / 1000)
    return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
  }
}
