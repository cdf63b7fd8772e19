import { existsSync } from 'node:fs'
import type { Page } from 'playwright-core'

/** Path of the Chromium for tests in a real browser; undefined if none is installed, and those tests are skipped. */
export const CHROMIUM = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path): path is string => path !== undefined && existsSync(path))

/** Saves a picture of the whole page in the folder that SCREENSHOTS names, for people to look at. */
export async function takeShot(page: Page, name: string): Promise<void> {
  const { SCREENSHOTS } = process.env
  if (SCREENSHOTS !== undefined) await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true })
}
