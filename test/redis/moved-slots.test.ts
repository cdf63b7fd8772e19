import { movedSlots } from '../../src/redis/cluster-masters.js'

test.each<[string, string[], string[], number[]]>([
  ['nothing moves', ['0-5 9', '6-8'], ['0-5 9', '6-8'], []],
  ['a slot has moved', ['0-5', '6-8'], ['0-4', '5-8'], [5]],
  ['a slot has gone to a master that was not asked', ['0-5', '6-8'], ['0-5', '6-7'], [8]],
  ['a slot begins to move', ['0-5', '6-8'], ['0-5 [3->-abc]', '6-8 [3-<-def]'], [3]],
  ['a slot has been moving all the time', ['0-5 [3->-abc]', '6-8'], ['0-5 [3->-abc]', '6-8'], [3]],
  ['a slot that was moving has arrived', ['0-5 [5->-abc]', '6-8 [5-<-def]'], ['0-4', '5-8'], [5]],
  ['a slot that was moving stays', ['0-5 [5->-abc]', '6-8'], ['0-5', '6-8'], [5]],
  ['a master has no slots any more', ['0-2', '3'], ['', '3'], [0, 1, 2]],
])('%s', (_what, before, after, moved) => {
  expect([...movedSlots(before, after)].sort()).toEqual(moved)
})
