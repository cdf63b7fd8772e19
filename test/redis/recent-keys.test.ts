import { RecentKeys } from '../../src/redis/recent-keys.js'

test('a key comes once, on one page or on several', () => {
  const recent = new RecentKeys()
  expect(recent.unseen(['a', 'b', 'a'])).toEqual(['a', 'b'])
  expect(recent.unseen(['b', 'c'])).toEqual(['c'])
})

test('of 200,000 keys the last 10,000 are remembered, and never more than twice as many', () => {
  const recent = new RecentKeys()
  let most = 0
  for (let i = 0; i < 200_000; i++) {
    recent.unseen([`key-${i}`])
    most = Math.max(most, recent.size)
  }
  expect(most).toBeLessThanOrEqual(20_000)
  expect(recent.unseen(Array.from({ length: 10_000 }, (_, i) => `key-${199_999 - i}`))).toEqual([])
  expect(recent.unseen(['key-0'])).toEqual(['key-0'])
})
