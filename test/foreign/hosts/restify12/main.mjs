// restify 12 needs Node 22.
import restify from 'restify'
import { versionOf } from '../../support/host.mjs'
import { tryRestify } from '../../support/try-restify.mjs'

await tryRestify('restify12', restify)
console.log(versionOf('restify', import.meta.url))
