/**
 * Ends this process when npm ends. `npm start` runs its script through a shell, and a signal to npm ends this shell
 * without reaching the script, which would continue unnoticed. The script sees that its parent process has changed.
 */
export function endWithNpm() {
  if (!process.env.npm_lifecycle_event) return
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, 250)
  watch.unref()
}
