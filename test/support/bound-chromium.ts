import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core'

export interface Certificate {
  key: Buffer
  cert: Buffer
}

/** Makes a certificate for test names; undefined where there is no openssl. */
export function selfSigned(directory: string): Certificate | undefined {
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['-subj', '/CN=shop.test', '-addext', 'subjectAltName=DNS:shop.test,DNS:other.test']
  try {
    execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, '-days', '2', ...names], {
      stdio: 'ignore',
    })
    return { key: readFileSync(key), cert: readFileSync(cert) }
  } catch {
    return undefined
  }
}

/** What Chromium reports of a device-bound session. */
export interface DeviceEvent {
  succeeded: boolean
  creationEventDetails?: { fetchResult: string }
  refreshEventDetails?: { refreshResult: string }
  challengeEventDetails?: { challengeResult: string }
  terminationEventDetails?: { deletionReason: string }
}

/**
 * Chromium with device-bound sessions, whose keys are made in software. It is started by hand, because a driver that
 * sets features itself would override these.
 */
export class BoundChromium {
  readonly events: DeviceEvent[] = []
  readonly context: BrowserContext
  readonly page: Page
  readonly cdp: CDPSession
  readonly #browser: Browser
  readonly #process: ChildProcess
  readonly #profile: string

  private constructor(browser: Browser, child: ChildProcess, profile: string, page: Page, cdp: CDPSession) {
    this.#browser = browser
    this.#process = child
    this.#profile = profile
    this.context = page.context()
    this.page = page
    this.cdp = cdp
    // playwright's list of events does not have this one yet.
    const on = cdp.on.bind(cdp) as (name: string, listener: (event: DeviceEvent) => void) => void
    on('Network.deviceBoundSessionEventOccurred', (event) => void this.events.push(event))
  }

  /** @param profile the directory of a browser that has been stopped */
  static async start(
    executablePath: string,
    { cert }: Certificate,
    profile = mkdtempSync(join(tmpdir(), 'bound-chromium-')),
  ): Promise<BoundChromium> {
    const spki = createPublicKey(cert).export({ type: 'spki', format: 'der' })
    const features = [
      'DeviceBoundSessions:RequireOriginTrialTokens/false/RefreshQuota/false',
      'EnableBoundSessionCredentials',
      'EnableBoundSessionCredentialsSoftwareKeysForManualTesting',
    ]
    const child = spawn(
      executablePath,
      [
        '--headless=new',
        // Containers have no room for a sandbox, and the pages are our own.
        '--no-sandbox',
        '--no-first-run',
        '--remote-debugging-port=0',
        `--user-data-dir=${profile}`,
        `--enable-features=${features.join(',')}`,
        `--ignore-certificate-errors-spki-list=${createHash('sha256').update(spki).digest('base64')}`,
        '--host-resolver-rules=MAP *.test 127.0.0.1',
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const browser = await chromium.connectOverCDP(await endpointOf(child))
    const [context] = browser.contexts() as [BrowserContext]
    const page = context.pages()[0] ?? (await context.newPage())
    const cdp = await context.newCDPSession(page)
    const started = new BoundChromium(browser, child, profile, page, cdp)
    await cdp.send('Network.enable')
    const send = cdp.send.bind(cdp) as (name: string, options: object) => Promise<unknown>
    await send('Network.enableDeviceBoundSessions', { enable: true })
    return started
  }

  /** How many registrations, or refreshes, have succeeded. */
  count(kind: 'creationEventDetails' | 'refreshEventDetails'): number {
    return this.events.filter((event) => event.succeeded && event[kind] !== undefined).length
  }

  /** Quits as a user does. @returns its profile, from which another one can start */
  async stop(): Promise<string> {
    const exited = new Promise((resolve) => {
      this.#process.once('exit', resolve)
    })
    const session = await this.#browser.newBrowserCDPSession()
    await session.send('Browser.close').catch(() => {})
    if (this.#process.exitCode === null) await exited
    return this.#profile
  }

  async close(): Promise<void> {
    await this.stop()
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

function endpointOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.once('exit', () => reject(new Error(`Chromium does not start: ${text.slice(-500)}`)))
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const [, endpoint] = /DevTools listening on (ws:\S+)/.exec(text) ?? []
      if (endpoint !== undefined) resolve(endpoint)
    })
  })
}
