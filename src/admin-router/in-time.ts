import { HttpError } from '../http-error.js'
import { started } from '../redis/deadline.js'

/**
 * Settles like the function of the application, or rejects when its time is over. What the function throws that is no
 * error is made one: `next('router')` would be an order to Express.
 *
 * @param name of the option
 */
export async function inTime<T>(name: string, ms: number, work: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new HttpError(503, `"${name}" option did not settle within ${ms} ms`)), ms).unref()
  })
  try {
    return await Promise.race([started(async () => work()), late])
  } catch (err) {
    throw err instanceof Error ? err : new Error(`"${name}" option failed with something that is no error`)
  } finally {
    clearTimeout(timer)
  }
}
