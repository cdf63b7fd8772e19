import { spawn } from 'node:child_process'

/**
 * Kill `pid` when this process ends, however it ends. A shell waits on a pipe that only this process holds open, and the
 * kernel closes pipes also for a process that was killed hard. Returns a function that calls the shell off.
 */
export function dieWithParent(pid: number): () => void {
  const watcher = spawn('sh', ['-c', 'read -r line; [ "$line" = stop ] || kill -9 "$0"', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watcher.on('error', () => {})
  watcher.stdin.on('error', () => {})
  watcher.unref()
  ;(watcher.stdin as unknown as { unref(): void }).unref()
  return () => watcher.stdin.end('stop\n')
}
