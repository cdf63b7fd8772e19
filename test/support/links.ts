import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** A link or an image of a page. */
export interface Link {
  page: string
  /** As the page has it. */
  target: string
  /** The file of this repository that it leads to; undefined for other sites. */
  path: string | undefined
  /** Without `#`. */
  anchor: string | undefined
  /** Whether it leads to the repository on its site: also from an installed package. */
  isAbsolute: boolean
}

/** Where the files of the repository can be read, as package.json names it. */
const { repository } = JSON.parse(readFileSync('package.json', 'utf8')) as { repository: { url: string } }
const SITE = `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/main/`

/** The file that a link of a page leads to; undefined for other sites. */
export function fileOf(page: string, target: string): string | undefined {
  const [path = ''] = target.split('#')
  if (path.startsWith(SITE)) return path.slice(SITE.length)
  if (/^[a-z]+:/.test(path)) return undefined
  return path === '' ? page : normalize(join(dirname(page), path))
}

/** All links of a page, in Markdown and in HTML. */
export function linksOf(page: string): Link[] {
  const text = withoutCode(readFileSync(page, 'utf8'))
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)|\b(?:src|srcset|href)="([^"]+)"/g)]
  return targets.map(([, inMarkdown, inHtml]) => {
    const target = inMarkdown ?? inHtml ?? ''
    const anchor = target.includes('#') ? target.slice(target.indexOf('#') + 1) : undefined
    return { page, target, path: fileOf(page, target), anchor, isAbsolute: target.startsWith(SITE) }
  })
}

/** The anchors of the headings of a page, made as GitHub makes them. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of withoutBlocks(readFileSync(page, 'utf8')).matchAll(/^#{1,6} (.+)$/gm)) {
    const text = heading.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-')
    let again = 0
    let unique = anchor
    while (anchors.has(unique)) unique = `${anchor}-${++again}`
    anchors.add(unique)
  }
  return anchors
}

const withoutBlocks = (text: string) => text.replace(/^(```+)[^\n]*\n[\s\S]*?^\1/gm, '')
const withoutCode = (text: string) => withoutBlocks(text).replace(/(?<!`)(`{1,2})(?!`).+?(?<!`)\1(?!`)/g, '')
