/** @throws Error if this process serves real users: their sessions could be forged or ended */
export function refuseProduction(what: string): void {
  if (process.env.NODE_ENV === 'production') {
    throw new Error(`${what} is for tests: it refuses to work with NODE_ENV=production`)
  }
}
