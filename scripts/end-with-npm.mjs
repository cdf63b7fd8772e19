/**
 * `npm start` runs its script through a shell, and a signal sent to npm ends that shell without ever reaching the script,
 * which would go on without anybody knowing. A new parent is how it notices.
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
