import { existsSync } from 'node:fs'

/** Path of the Chromium for tests in a real browser; undefined if none is installed, and those tests are skipped. */
export const CHROMIUM = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path): path is string => path !== undefined && existsSync(path))
