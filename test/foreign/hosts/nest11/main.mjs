import 'reflect-metadata'
import * as common from '@nestjs/common'
import * as core from '@nestjs/core'
import { versionOf } from '../../support/host.mjs'
import { tryNest } from '../../support/try-nest.mjs'

await tryNest('nest11', { common, core })
console.log(versionOf('@nestjs/core', import.meta.url))
