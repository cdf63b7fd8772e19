import Bowser from 'bowser'
import { LONGEST_USER_AGENT } from './client-fingerprint.js'

const BROWSERS = new Set(Object.values(Bowser.BROWSER_MAP))
const SYSTEMS = new Set(Object.values(Bowser.OS_MAP))
const DEVICES: Readonly<Record<string, string>> = { mobile: 'phone', tablet: 'tablet' }

/**
 * What a user calls his client: `Firefox on Linux`, `Safari on iOS, phone`. Made of bowser's own names, never of what the
 * header says: no versions, no model, no text that a visitor has chosen, and under 64 bytes.
 *
 * @returns '' for one that bowser does not know
 */
export function clientLabel(userAgent: string | undefined): string {
  if (!userAgent || userAgent.length > LONGEST_USER_AGENT) return ''
  const { browser, os, platform } = Bowser.parse(userAgent)
  const names = [known(BROWSERS, browser.name), known(SYSTEMS, os.name)].filter((name) => name !== undefined)
  if (names.length === 0) return ''
  const device = DEVICES[platform.type ?? '']
  return names.join(' on ') + (device === undefined ? '' : `, ${device}`)
}

function known(names: ReadonlySet<string>, name: string | undefined): string | undefined {
  return name !== undefined && names.has(name) ? name : undefined
}
