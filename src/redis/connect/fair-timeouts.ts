import type { Redis } from 'ioredis'
import { internalsOf, type TimeoutInternals } from '../clients/ioredis/internals.js'
import { setPatientTimeout } from '../patient-timeout.js'

/*
 * The timeouts of ioredis (`commandTimeout`, `socketTimeout`) fire as soon as a blocked event loop continues, although
 * replies may have arrived and only wait to be read. Every pending command would fail, and working connections would be
 * given up. The timeouts in this file wait until the replies have been read (patient-timeout.ts). ioredis 5 and 6 have
 * the internals that this needs; without them, the timeouts of ioredis stay in force.
 */

interface TimedCommand {
  setTimeout?(ms: number): void
  reject(err: Error): void
  _commandTimeoutTimer?: NodeJS.Timeout
  isResolved?: boolean
  isSettled?: boolean
}

/** @param command a Command of ioredis that is about to be sent */
export function fairCommandTimeout(command: object): void {
  const timed = command as TimedCommand
  if (typeof timed.setTimeout === 'function') timed.setTimeout = setCommandTimeout
}

function setCommandTimeout(this: TimedCommand, ms: number): void {
  if (this._commandTimeoutTimer !== undefined) return
  const onTime = () => {
    // Applications recognise this error by the message of ioredis.
    if (!(this.isSettled ?? this.isResolved)) this.reject(new Error('Command timed out'))
  }
  setPatientTimeout(onTime, ms, (timer) => {
    this._commandTimeoutTimer = timer
  })
}

export function fairSocketTimeout(node: Redis): void {
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
  // ioredis's own listener runs first, and takes answered commands out of the queue.
  stream.once('data', () => {
    hasHeard = true
    clearTimeout(this.socketTimeoutTimer)
    this.socketTimeoutTimer = undefined
    if (this.commandQueue.length > 0) this.setSocketTimeout?.()
  })
}
