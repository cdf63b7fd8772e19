export interface Tea {
  slug: string
  name: string
  origin: string
  about: string
  /** Price in cents. */
  price: number
}

export const TEAS: readonly Tea[] = [
  tea('sencha', 'Morning Sencha', 'Shizuoka, Japan', 'Bright and grassy. Water at 75 °C, one minute, no longer.', 950),
  tea('assam', 'Second Flush Assam', 'Assam, India', 'Malty enough to take milk and still know its own name.', 800),
  tea('oolong', 'High Mountain Oolong', 'Alishan, Taiwan', 'Rolled by hand. The fifth infusion is the best one.', 1400),
  tea('earl-grey', 'Earl Grey', 'Uva, Sri Lanka', 'Black tea and real bergamot. A classic for a reason.', 750),
  tea('chai', 'Station Chai', 'Kolkata, India', 'Cardamom, ginger, clove. Simmer with milk, be generous.', 690),
  tea('rooibos', 'Red Bush Rooibos', 'Cederberg, South Africa', 'No caffeine, all comfort. Good at midnight.', 650),
  tea('pu-erh', 'Patient Pu-erh', 'Yunnan, China', 'Aged nine years in the dark. Tastes of forest floor.', 1200),
  tea('chamomile', 'Field Chamomile', 'Istria, Croatia', 'Whole flowers, dried in the shade. Sleep well.', 590),
]

const BY_SLUG = new Map(TEAS.map((found) => [found.slug, found]))

export function findTea(slug: unknown): Tea | undefined {
  return typeof slug === 'string' ? BY_SLUG.get(slug) : undefined
}

const EUROS = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

export function money(cents: number): string {
  return EUROS.format(cents / 100)
}

function tea(slug: string, name: string, origin: string, about: string, price: number): Tea {
  return { slug, name, origin, about, price }
}
