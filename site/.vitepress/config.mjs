import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import { asOnGitHub, githubAnchor } from './markdown.mjs'
import { sidebar, titles } from './sidebar.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { description, repository, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const github = repository.url.replace(/^git\+|\.git$/g, '')

/** Where a page of the repository stands on the site; pages of docs/ keep their names. */
const REWRITES = {
  'site/index.md': 'index.md',
  'README.md': 'start.md',
  'docs/index.md': 'pages.md',
  'docs/:page': ':page',
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'reporting.md',
}

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f6f54"/><path d="M12 7l-2 18M22 7l-2 18M6 12.500h20M6 19.500h20" stroke="#fff" stroke-width="2.600" stroke-linecap="round"/></svg>`

/** Pages that hold a little of everything, and are not what somebody looks for. */
const NOT_SEARCHED = new Set(['changelog.md', 'contributing.md'])

/**
 * What the search knows of a page. Colours of code take half the time of a build, and nobody looks for them.
 *
 * @param {string} src
 * @param {import('vitepress').MarkdownEnv} env
 * @param {import('vitepress').MarkdownRenderer} md
 */
function searchable(src, env, md) {
  if (NOT_SEARCHED.has(env.relativePath)) return ''
  const { highlight = null } = md.options
  try {
    return md.set({ highlight: null }).render(src, env)
  } finally {
    md.set({ highlight })
  }
}

export default defineConfig({
  title: 'connect-redis-hash',
  description,
  lang: 'en',
  base: process.env.DOCS_BASE ?? '/',
  // The pages stay where GitHub and the package have them.
  srcDir: '..',
  srcExclude: ['{bench,coverage,dist,example-app,scripts,src,test}/**'],
  rewrites: REWRITES,
  outDir: './dist',
  cacheDir: '../.cache/site',
  head: [
    ['link', { rel: 'icon', href: `data:image/svg+xml,${encodeURIComponent(ICON)}` }],
    ['meta', { name: 'referrer', content: 'no-referrer' }],
  ],
  markdown: {
    config: (md) => asOnGitHub(md, { root, github, rewrites: REWRITES, titles }),
    anchor: { slugify: githubAnchor },
    // GitHub knows no attributes in braces.
    attrs: { disable: true },
    languageAlias: { redis: 'sh' },
  },
  themeConfig: {
    nav: [
      { text: 'Start', link: '/start' },
      { text: 'Compare', link: '/comparison' },
      { text: 'API', link: '/api' },
      {
        text: version,
        items: [
          { text: 'Changes', link: '/changelog' },
          { text: 'Contributing', link: '/contributing' },
        ],
      },
      // Not a social link: `npm run docs` would load its icon from another site.
      { text: 'GitHub', link: github },
    ],
    sidebar,
    outline: { level: [2, 3] },
    search: { provider: 'local', options: { _render: searchable } },
    editLink: { pattern: `${github}/edit/main/:path`, text: 'Edit this page' },
    footer: { message: 'MIT licensed' },
    externalLinkIcon: false,
  },
  vite: {
    // The site shows nothing of these.
    server: { watch: { ignored: ['**/{.cache,.data,bench,coverage,dist,example-app,src,test}/**'] } },
    // The targets that Vite would choose are older than what this esbuild can write.
    build: { target: 'es2022', chunkSizeWarningLimit: 2000 },
    optimizeDeps: { esbuildOptions: { target: 'es2022' } },
  },
})
