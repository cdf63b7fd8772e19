import { spawn } from 'node:child_process'

/**
 * Kills the process `pid` when this process ends, however it ends. A shell waits on a pipe that only this process holds
 * open; the kernel closes the pipe even if this process is killed. Returns a function that stops the shell.
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
