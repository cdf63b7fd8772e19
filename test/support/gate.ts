/** Holds a request until the test opens it; `reached` tells that the request has got there. */
export interface Gate {
  reached: Promise<void>
  open(): void
  wait(): Promise<void>
}

export function gate(): Gate {
  let arrive!: () => void
  let open!: () => void
  const reached = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return {
    reached,
    open,
    wait() {
      arrive()
      return opened
    },
  }
}
