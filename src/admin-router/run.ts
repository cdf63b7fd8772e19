/** Work that goes on after its answer if it takes long. */
export interface Run {
  /** How many sessions have been ended so far. */
  ended: number
  done: Promise<void>
}

/** Starts work that counts what it ends. */
export function startRun(work: (run: Run) => Promise<void>): Run {
  const run: Run = { ended: 0, done: Promise.resolve() }
  run.done = work(run)
  return run
}

/** Waits for work, but not longer than this. @returns whether it is over @throws what the work throws meanwhile */
export async function isOverWithin({ done }: Run, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms).unref()
  })
  try {
    return await Promise.race([done.then(() => true as const), late])
  } finally {
    clearTimeout(timer)
  }
}
