import { readFileSync } from 'node:fs'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

/**
 * What axe finds wrong with a page, light and dark: the rule, and the elements with their reasons.
 *
 * @param inScheme is called as the page appears in each colour scheme
 */
export async function axeFaults(page: Page, inScheme?: (colorScheme: string) => Promise<unknown>): Promise<string[]> {
  const faults: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    // A button that fades from one scheme to the other would have a colour of neither.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await inScheme?.(colorScheme)
    await page.evaluate(AXE)
    const { violations } = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as AxeResults
    for (const { id, nodes } of violations) {
      faults.push(...nodes.map(({ html, failureSummary }) => `${colorScheme}: ${id}: ${html}: ${failureSummary}`))
    }
  }
  return faults
}
