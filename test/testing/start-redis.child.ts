import { startRedis } from '../../src/testing.js'

console.log((await startRedis()).url)
// The process goes on until its parent lets it end.
process.stdin.on('end', () => process.exit()).resume()
