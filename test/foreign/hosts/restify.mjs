import restify from 'restify'
import { versionOf } from '../support/host.mjs'
import { tryRestify } from '../support/try-restify.mjs'

await tryRestify('restify11', restify)
console.log(versionOf('restify', import.meta.url))
