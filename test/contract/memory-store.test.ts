import session from 'express-session'
import { MEMORY_STORE } from './differences.js'
import { describeStoreContract } from './store-contract.js'

describeStoreContract('MemoryStore', () => new session.MemoryStore(), MEMORY_STORE)
