/**
 * Copies a reply and empties the original. The libraries keep a command, with its reply, longer than the command needs:
 * V8 allocates some of what they make in the old generation, where it stays until the next full garbage collection, and
 * keeps everything it refers to. V8 does so with closures that are assigned to a property (`this.reject = …`), and with
 * each place in the code whose objects and arrays have lived long a few times, as those of every request do that waits
 * for Redis. Minor collections then copy all these replies, which takes as long as handling the sessions.
 *
 * A copy that `slice` makes belongs to no place in the code, and neither does an instance of a class.
 */
export function takeOut<T>(reply: T[]): T[] {
  const taken = reply.slice()
  reply.length = 0
  return taken
}
