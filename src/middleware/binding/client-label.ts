import Bowser from 'bowser'
import { MAX_USER_AGENT_LENGTH } from './client-fingerprint.js'

const BROWSERS = new Set(Object.values(Bowser.BROWSER_MAP))
const SYSTEMS = new Set(Object.values(Bowser.OS_MAP))
const DEVICES: Readonly<Record<string, string>> = { mobile: 'phone', tablet: 'tablet' }

/**
 * How users would name their client: `Firefox on Linux`, `Safari on iOS, phone`. It consists of bowser's own names,
 * never of text from the header, which the visitor chooses: no versions, no model, and under 64 bytes.
 *
 * @param brand name of a browser whose User-Agent is that of Chrome
 * @returns '' for a client that bowser does not know
 */
export function clientLabel(userAgent: string | undefined, brand?: string): string {
  if (!userAgent || userAgent.length > MAX_USER_AGENT_LENGTH) return ''
  const { browser, os, platform } = Bowser.parse(userAgent)
  const name = browser.name === 'Chrome' ? (brand ?? browser.name) : known(BROWSERS, browser.name)
  const names = [name, known(SYSTEMS, os.name)].filter((name) => name !== undefined)
  if (names.length === 0) return ''
  const device = DEVICES[platform.type ?? '']
  return names.join(' on ') + (device === undefined ? '' : `, ${device}`)
}

function known(names: ReadonlySet<string>, name: string | undefined): string | undefined {
  return name !== undefined && names.has(name) ? name : undefined
}
