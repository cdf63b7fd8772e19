/** The order in which a newcomer needs the pages. The build fails if a page is missing here. */
export const sidebar = [
  group('Begin', {
    start: 'Start',
    comparison: 'Compare stores',
    migrating: 'From connect-redis or MemoryStore',
    'example-app': 'A shop to try it in',
    pages: 'All pages',
  }),
  group('Sessions and logins', {
    'secure-session': 'secureSession',
    store: 'The store',
    login: 'Login',
    logout: 'Logout',
    'sessions-by-user': "A user's sessions and devices",
    levels: 'Levels of a login',
    merging: 'Changes that merge',
    sockets: 'WebSockets and Socket.IO',
  }),
  group('Your application', {
    recipes: 'Recipes',
    hosts: 'Frameworks and runtimes',
    typescript: 'TypeScript',
    testing: 'Tests',
  }),
  group('Security', {
    renewal: 'Ids that change',
    binding: 'Sessions bound to a client',
    'device-bound': 'Sessions bound to a device',
    security: 'Requirements, one by one',
    reporting: 'Reporting a vulnerability',
  }),
  group('Operation', {
    clients: 'Redis clients',
    operations: 'Running it',
    doctor: 'doctor: is Redis set up right?',
    capacity: 'How much Redis you need',
    runbook: 'Runbook',
    observability: 'Metrics, traces, logs',
    cli: 'Command line',
    admin: 'Admin pages',
    'near-cache': 'Near cache',
    archiving: 'Archiving ended sessions',
  }),
  group('When something is wrong', {
    troubleshooting: 'Troubleshooting',
    errors: 'Errors',
    faq: 'Questions',
  }),
  group('Reference', {
    api: 'API',
    storage: 'What Redis holds',
    compatibility: 'What was tested',
    benchmarks: 'Benchmarks',
    changelog: 'Changes',
    contributing: 'Contributing',
  }),
]

/** What the site calls each page. */
export const titles = new Map(sidebar.flatMap(({ items }) => items.map(({ text, link }) => [`${link}.md`, text])))

/**
 * @param {string} text
 * @param {Record<string, string>} pages names of pages, and what the sidebar calls them
 */
function group(text, pages) {
  const items = Object.entries(pages).map(([page, title]) => ({ text: title, link: `/${page}` }))
  return { text, items }
}
