import { MAX_PAGE, PAGE_SIZE } from './list-sessions.js'

/** Description of the JSON that the router answers, for programs (OpenAPI 3.1). */

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: object) => ({ content: { 'application/json': { schema } } })
const answer = (description: string, schema: object) => ({ description, ...json(schema) })
const error = (description: string) => answer(description, ref('Error'))
const query = (name: string, description: string, schema: object, required = false) => ({
  ...{ name, in: 'query', description, required, schema },
})
const count = { type: 'integer', minimum: 0 }
const time = { type: 'string', format: 'date-time' }
const timeOrNull = { type: ['string', 'null'], format: 'date-time' }
const required = (properties: Record<string, object>, optional: Record<string, object> = {}) => ({
  ...{ type: 'object', required: Object.keys(properties), properties: { ...properties, ...optional } },
})

const HANDLE = {
  ...{ name: 'handle', in: 'path', required: true, description: 'Public name of a session' },
  schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{22}$' },
}
const INDEX = query('index', 'Name of an index of the store', { type: 'string' })
const VALUE = query('value', 'Value in that index, for example the id of a user', { type: 'string' })

/** What every path may answer. */
const ERRORS = {
  400: error('The request cannot be read'),
  403: error('Not allowed: by `authorize`, because of `readOnly`, or because the request comes from another site'),
  503: error('Redis does not answer, or the time was too short'),
}
const NOT_FOUND = { 404: error('There is no such session') }

const operation = (operationId: string, summary: string, rest: { responses: object } & Record<string, unknown>) => ({
  ...{ operationId, summary, ...rest, responses: { ...rest.responses, ...ERRORS } },
})

const ages = required({ minute: count, hour: count, day: count, week: count, older: count })
const session = {
  handle: HANDLE.schema,
  createdAt: timeOrNull,
  seenAt: timeOrNull,
  expiresAt: timeOrNull,
  indexes: { type: 'object', additionalProperties: { type: 'array', items: { type: 'string' } } },
  deviceBound: { type: 'boolean' },
}
const sessionMore = {
  client: { type: 'string', description: 'Browser and operating system with which it began' },
  format: { const: 'connect-redis', description: 'Written by connect-redis: when it began and was seen is not known' },
}

const schemas = {
  Error: required({ error: { type: 'string' } }, { code: { type: 'string' } }),
  Session: required(session, sessionMore),
  SessionWithProperties: required(
    { ...session, properties: { type: 'object', additionalProperties: count, description: 'Bytes by name' } },
    {
      ...sessionMore,
      values: { type: 'object', description: 'Only those that `showValue` allows' },
      encrypted: { type: 'array', items: { type: 'string' }, description: 'Values whose key the store does not have' },
    },
  ),
  SessionList: required({
    sessions: { type: 'array', items: ref('Session'), maxItems: PAGE_SIZE },
    page: { type: 'integer', minimum: 1, maximum: MAX_PAGE },
    pageSize: count,
    total: { ...count, description: 'Sessions on all pages that were found' },
    complete: { type: 'boolean', description: 'Whether every session was looked at' },
    hasMore: { type: 'boolean', description: 'Whether there is a next page' },
  }),
  Ended: required(
    { ended: count },
    { complete: { type: 'boolean', description: 'False: it goes on, and `ended` is how many so far' } },
  ),
  Ages: ages,
  Stats: required({
    sessions: count,
    bytes: count,
    indexes: { type: 'object', additionalProperties: required({ sessions: count, values: count }) },
    age: ref('Ages'),
    idle: ref('Ages'),
    ends: { ...ages, required: [...ages.required, 'never'], properties: { ...ages.properties, never: count } },
    complete: { type: 'boolean' },
  }),
  Activity: required({
    points: { type: 'array', items: required({ at: time, users: count, sessions: count }) },
    average: required({ users: { type: 'number' }, sessions: { type: 'number' } }),
  }),
  Event: required(
    {
      at: time,
      event: { enum: ['created', 'saved', 'touched', 'changed', 'ended', 'missed', 'warning'] },
    },
    {
      handle: HANDLE.schema,
      reason: { type: 'string', description: 'Why it has ended' },
      indexes: session.indexes,
      text: { type: 'string', description: 'Of a warning' },
    },
  ),
  Finding: required(
    {
      check: { type: 'string' },
      level: { enum: ['problem', 'warning', 'unknown', 'note', 'ok'] },
      what: { type: 'string' },
    },
    { consequence: { type: 'string' }, change: { type: 'array', items: { type: 'string' } } },
  ),
  Health: required({
    pingMs: { type: 'number', minimum: 0 },
    servers: {
      type: 'array',
      items: required({ address: { type: 'string' }, findings: { type: 'array', items: ref('Finding') } }),
    },
    counters: { type: 'object', additionalProperties: count },
  }),
}

const paths = {
  '/sessions': {
    get: operation('listSessions', 'Sessions of an index value, or all, the most recently seen first', {
      parameters: [INDEX, VALUE, query('page', 'From 1 on', { type: 'integer', minimum: 1, maximum: MAX_PAGE })],
      responses: { 200: answer('A page of sessions', ref('SessionList')) },
    }),
  },
  '/sessions/{handle}': {
    get: operation('showSession', 'One session, with names and sizes of its properties', {
      parameters: [HANDLE, INDEX, VALUE],
      responses: { 200: answer('The session', ref('SessionWithProperties')), ...NOT_FOUND },
    }),
  },
  '/sessions/{handle}/end': {
    post: operation('endSession', 'Ends one session', {
      parameters: [HANDLE, INDEX, VALUE],
      responses: { 200: answer('It is ended', ref('Ended')), ...NOT_FOUND },
    }),
  },
  '/end': {
    post: operation('endSessions', 'Ends all sessions of an index value, or all', {
      requestBody: {
        required: true,
        ...json({
          oneOf: [
            required({ index: { type: 'string' }, value: { type: ['string', 'number'] } }),
            required({ all: { const: true } }),
          ],
        }),
      },
      responses: {
        200: answer('They are ended', ref('Ended')),
        202: answer('There are many: it goes on, and an audit entry tells the end', ref('Ended')),
      },
    }),
  },
  '/stats': {
    get: operation('stats', 'How many sessions there are, their memory and ages, and when they end', {
      responses: { 200: answer('The counts', ref('Stats')) },
    }),
  },
  '/activity': {
    get: operation('activity', 'How many users and sessions were active over time', {
      parameters: [
        query('from', 'Beginning: ISO 8601, or milliseconds since 1970', { type: 'string' }),
        query('to', 'End. Default: now', { type: 'string' }),
        query('step', 'Default: hour', { enum: ['minute', 'hour', 'day'] }),
      ],
      responses: {
        200: answer('The counts', ref('Activity')),
        404: error('The store has no option `activity`'),
      },
    }),
  },
  '/events': {
    get: operation('events', 'What happens to sessions, as it happens', {
      responses: {
        200: {
          description: 'Server-sent events. The name of each is that of its `event`, its data are JSON',
          content: {
            'text/event-stream': { schema: { type: 'string' } },
            'application/json': {
              schema: required({ since: time, events: { type: 'array', items: ref('Event') } }),
            },
          },
        },
      },
    }),
  },
  '/health': {
    get: operation('health', 'What doctor says about each server, and what this process has counted', {
      responses: { 200: answer('The findings', ref('Health')) },
    }),
  },
}

export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'Sessions',
    version: '1',
    description:
      'Administration of the sessions of connect-redis-hash. Requests with POST must come from the same origin: browsers say so, and programs send `Sec-Fetch-Site: same-origin`.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '.', description: 'Where this description lies' }],
  paths,
  components: { schemas },
}
