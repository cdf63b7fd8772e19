import { type ServerResponse, STATUS_CODES } from 'node:http'

/** Answers with the status of an error and the name of that status. */
export function answerBriefly(res: ServerResponse, err: unknown): void {
  const status = statusOf(err)
  try {
    res.statusCode = status
    res.setHeader('Content-Type', 'text/plain; charset=utf-8')
    res.setHeader('Cache-Control', 'no-store')
    res.end(`${STATUS_CODES[status] ?? 'Error'}\n`)
  } catch {
    res.destroy()
  }
}

function statusOf(err: unknown): number {
  const { status } = (err ?? {}) as { status?: unknown }
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) < 600 ? (status as number) : 500
}
