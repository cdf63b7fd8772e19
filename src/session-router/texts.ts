import { checkNames } from '../known-options.js'

/** Every sentence of the device page. They are text, not markup: the built-in page escapes them. */
export interface SessionRouterTexts {
  /** Title and heading of the page. */
  title: string
  /** The sentence below the heading. */
  lead: string
  /** The link to the path of the `back` option. */
  back: string
  /** The mark of the session of this request. */
  thisDevice: string
  /** The name of a device without a label, e.g. because `bindClient` stores no labels. */
  unnamed: string
  /** Replaces `lastSeen` for the session of this request. */
  inUse: string
  /**
   * Says when a device was last seen.
   *
   * @param when e.g. `3 hours ago`, in the language of the page
   */
  lastSeen: (when: string) => string
  /** The `when` of `lastSeen` for a device that was seen less than a minute ago. */
  justNow: string
  /** The mark of a session that is bound to its device. */
  deviceBound: string
  /**
   * Says when a session began.
   *
   * @param date in the language of the page, in UTC
   */
  since: (date: string) => string
  /**
   * Tells devices with the same label apart.
   *
   * @param name the beginning of the handle
   */
  number: (name: string) => string
  /** The button that ends one session. */
  logOut: string
  /**
   * The button that ends all sessions except the one of this request.
   *
   * @param count how many, 1 or more
   */
  logOutOthers: (count: number) => string
  /**
   * Says that there are further sessions.
   *
   * @param count how many sessions the page does not show
   */
  more: (count: number) => string
  /** Replaces the button `logOutOthers` if there are no other sessions. */
  alone: string
  /**
   * The message after the user has ended sessions.
   *
   * @param count how many; 0 if they had ended already
   */
  ended: (count: number) => string
}

/** What applications give: some of the texts. */
export type SomeTexts = Partial<SessionRouterTexts>

const TEXTS: Readonly<SessionRouterTexts> = {
  title: 'Your devices',
  lead: "These are the devices where you're logged in. If you don't recognise one, log it out and change your password.",
  back: 'Back',
  thisDevice: 'This device',
  unnamed: 'Unnamed device',
  inUse: 'In use now',
  lastSeen: (when) => `Last seen ${when}`,
  justNow: 'a moment ago',
  deviceBound: 'bound to its device',
  since: (date) => `Since ${date}`,
  number: (name) => `No. ${name}`,
  logOut: 'Log out',
  logOutOthers: (count) => `Log out ${count === 1 ? 'the other device' : `the ${count} other devices`}`,
  more: (count) => `and ${count} more`,
  alone: 'You are logged in nowhere else.',
  ended: (count) => {
    if (count === 0) return 'No device was logged in any more.'
    return count === 1 ? 'One device was logged out.' : `${count} devices were logged out.`
  },
}

/**
 * Completes the texts of an application.
 *
 * @throws TypeError that names the text
 */
export function completeTexts(given: SomeTexts = {}): SessionRouterTexts {
  checkNames('"texts" option', given, TEXTS, "texts: { title: 'Your devices' }")
  const texts = Object.entries(given).filter(([, text]) => text !== undefined)
  return { ...TEXTS, ...Object.fromEntries(texts.map(([name, text]) => [name, checkedText(name as Name, text)])) }
}

type Name = keyof SessionRouterTexts

function checkedText(name: Name, given: unknown): unknown {
  if (typeof TEXTS[name] === 'string') return stringOf(given, `"texts.${name}" must be a string`)
  if (typeof given !== 'function') throw new TypeError(`"texts.${name}" must be a function that returns a string`)
  return (value: unknown) => stringOf(given(value), `"texts.${name}" must return a string`)
}

function stringOf(text: unknown, problem: string): string {
  if (typeof text !== 'string') throw new TypeError(problem)
  return text
}
