/** Waits for work at most this long, so that a hanging call does not block others. Its timer keeps no process alive. */
export async function inTime(ms: number, work: () => Promise<void>): Promise<'done' | 'failed' | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms).unref()
  })
  const settled = work().then(
    () => 'done' as const,
    () => 'failed' as const,
  )
  const outcome = await Promise.race([settled, timeUp])
  clearTimeout(timer)
  return outcome
}
