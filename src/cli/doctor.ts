import { aclLine } from './doctor/acl-line.js'
import { Connection } from './doctor/connection.js'
import { versionOf } from './doctor/facts.js'
import { countOf, judge } from './doctor/judge.js'
import { readFacts, readInfo } from './doctor/read-facts.js'
import { asJson, asText } from './doctor/report.js'
import { serverOf } from './doctor/server-of.js'
import { parseTarget, type Target } from './doctor/target.js'
import { unreachable } from './doctor/unreachable.js'
import { CommandError, EXIT, type Io } from './io.js'
import { type Options, parse } from './parse.js'

export const SUMMARY = 'examine a Redis, and say what will go wrong with sessions in it'

const HELP = `Usage: connect-redis-hash doctor [options] [url]

Examines a Redis server and says what will go wrong with sessions in it, and which setting to change. It changes nothing.

url               redis://user:password@host:6379, rediss:// for TLS, or the path of a Unix socket;
                  redis-sentinel://a:26379,b:26379/name for the master that Sentinels know. One server is examined at a
                  time: in a Cluster, give each master. Better in the environment variable REDIS_URL: arguments are seen by other users (ps) and kept by shells.

--prefix <text>   of the store's keys (default: sess:)
--user <name>     look at the permissions of this user, if the URL is an administrator's (Redis 7)
--admin           the user is also to list and count sessions (all, length, clear, scan, stats, ...)
--acl             print the ACL line of a user that may do what a store needs, and nothing else; with a server, for its version
--json            for programs
--strict          warnings count like problems
--help

Exit code: 0 nothing to change, 1 something will go wrong, 2 wrong use, or the server cannot be reached.
`

export const OPTIONS = {
  prefix: { type: 'string', default: 'sess:', value: 'text', help: "of the store's keys (default: sess:)" },
  user: { type: 'string', value: 'name', help: 'look at the permissions of this user' },
  admin: { type: 'boolean', default: false, help: 'the user is also to list and count sessions' },
  acl: { type: 'boolean', default: false, help: 'print the ACL line of a user that may do what a store needs' },
  json: { type: 'boolean', default: false, help: 'for programs' },
  strict: { type: 'boolean', default: false, help: 'warnings count like problems' },
  help: { type: 'boolean', short: 'h', default: false, help: 'print the help' },
} as const satisfies Options

/** The version of Redis that an ACL line is made for if no server is given. */
const CURRENT = [7, 2] as const

/** @returns the exit code */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parse('doctor', args, OPTIONS)
  if (values.help) {
    io.out(HELP)
    return EXIT.fine
  }
  if (positionals.length > 1) throw new CommandError('Give one URL.')
  const url = positionals[0] ?? io.env.REDIS_URL
  if (url === undefined || url === '') {
    if (!values.acl) throw new CommandError('Give the URL of a Redis, or set REDIS_URL.')
    io.out(`${aclLine({ prefix: values.prefix, isAdmin: values.admin, version: CURRENT })}\n`)
    return EXIT.fine
  }
  const server = await serverOf(url)
  const target = parseTarget(server)
  return withConnection(server, target, async (connection) => {
    if (values.acl) {
      const info = await readInfo(connection)
      const isCluster = info?.cluster_enabled === '1'
      const { database } = target
      const subject = { prefix: values.prefix, isAdmin: values.admin, isCluster, database }
      io.out(`${aclLine({ ...subject, version: versionOf({ info }) ?? CURRENT })}\n`)
      return EXIT.fine
    }
    const { prefix, user, admin: isAdmin } = values
    const facts = await readFacts(connection, { url: server, target, prefix, isAdmin, user })
    const findings = judge(facts)
    io.out(values.json ? asJson(facts, findings) : asText(facts, findings, io.hasColours))
    const bad = countOf(findings, 'problem') + (values.strict ? countOf(findings, 'warning') : 0)
    return bad > 0 ? EXIT.found : EXIT.fine
  })
}

async function withConnection(url: string, target: Target, work: (connection: Connection) => Promise<number>) {
  let connection: Connection | undefined
  try {
    connection = await Connection.open(url)
    return await work(connection)
  } catch (err) {
    throw err instanceof CommandError ? err : unreachable(err, target)
  } finally {
    connection?.close()
  }
}
