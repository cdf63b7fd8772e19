import type { RedisNode } from './client.js'
import { internalsOf, type TimeoutInternals } from './clients/ioredis-internals.js'
import { setPatientTimeout } from './patient-timeout.js'

/*
 * ioredis's own timeouts (`commandTimeout`, `socketTimeout`) fire as soon as an event loop that was halted goes on, although the answers
 * may be there already, unread: every command under way would fail, and good connections be given up. These wait until they
 * have been read (patient-timeout.ts). Both major versions have what is used here; where one has not, its own timeouts count.
 */

interface TimedCommand {
  setTimeout?(ms: number): void
  reject(err: Error): void
  _commandTimeoutTimer?: NodeJS.Timeout
  isResolved?: boolean
  isSettled?: boolean
}

/** @param command of ioredis, before it is sent */
export function fairCommandTimeout(command: object): void {
  const timed = command as TimedCommand
  if (typeof timed.setTimeout === 'function') timed.setTimeout = setCommandTimeout
}

function setCommandTimeout(this: TimedCommand, ms: number): void {
  if (this._commandTimeoutTimer !== undefined) return
  const onTime = () => {
    // The message is how everybody recognises it.
    if (!(this.isSettled ?? this.isResolved)) this.reject(new Error('Command timed out'))
  }
  setPatientTimeout(onTime, ms, (timer) => {
    this._commandTimeoutTimer = timer
  })
}

export function fairSocketTimeout(node: RedisNode): void {
  const connection = internalsOf(node)
  if (typeof connection.setSocketTimeout === 'function') connection.setSocketTimeout = setSocketTimeout
}

function setSocketTimeout(this: TimeoutInternals): void {
  const { stream } = this
  const ms = this.options.socketTimeout as number
  let hasHeard = false
  const onTime = () => {
    if (hasHeard) return
    this.socketTimeoutTimer = undefined
    stream.destroy(new Error(`Redis has sent nothing for ${ms} ms (socketTimeout)`))
  }
  setPatientTimeout(onTime, ms, (timer) => {
    this.socketTimeoutTimer = timer
  })
  // Comes after the listener that takes answered commands out of the queue.
  stream.once('data', () => {
    hasHeard = true
    clearTimeout(this.socketTimeoutTimer)
    this.socketTimeoutTimer = undefined
    if (this.commandQueue.length > 0) this.setSocketTimeout?.()
  })
}
