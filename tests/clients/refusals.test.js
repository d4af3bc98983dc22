// Whatever the gateway refuses reaches a program through `@feathersjs/rest-client` as the error
// class of Feathers that it would get from any Feathers server.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import errors from '@feathersjs/errors'

import { activities, config, CREDENTIALS, disconnect, token, TRANSPORTS } from './connections.js'

const { refusals: organization, stranger } = config.organizations
const MISSING = 999_999
const limits = { timeout: 20_000 }

/** By evidence: the class, its message (null: the gateway's own words), the refused call. */
const CALLS = {
  from_vendor_doc: [
    ['NotFound', `No record found for id '${MISSING}'`, (service) => service.get(MISSING)],
    ['Forbidden', null, (service) => service.find({ query: { organization_id: stranger.id } })]
  ],
  from_stock_feathers: [
    ['NotFound', "No record found for id '12/3 x'", (service) => service.get('12/3 x')],
    [
      'NotFound',
      "No record found for id 'ID'",
      (service, id) => service.get(id, { query: { done: true } })
    ],
    [
      'NotFound',
      "No record found for id 'ID'",
      (service, id) => service.patch(id, {}, { query: { id: MISSING } })
    ],
    [
      'NotFound',
      "No record found for id 'ID'",
      (service, id) => service.remove(id, { query: { subject: { $in: ['zzz'] } } })
    ],
    ['BadRequest', 'Invalid filter value $foo', (service) => service.find({ query: { $foo: 1 } })],
    [
      'BadRequest',
      'Invalid query parameter $foo',
      (service) => service.find({ query: { duration: { $foo: 1 } } })
    ],
    ['BadRequest', 'validation failed', (service) => service.find({ query: { nope: 1 } })],
    ['BadRequest', 'validation failed', (service) => service.find({ query: { deal_id: 'abc' } })],
    [
      'BadRequest',
      'validation failed',
      (service, id) => service.get(id, { query: { $select: ['nope'] } })
    ],
    [
      'MethodNotAllowed',
      'Can not create multiple entries',
      (service) => service.create([{ subject: 'x' }])
    ],
    [
      'MethodNotAllowed',
      'Can not patch multiple entries',
      (service) => service.patch(null, { done: true })
    ],
    ['MethodNotAllowed', 'Can not remove multiple entries', (service) => service.remove(null)],
    [
      'MethodNotAllowed',
      'Can not remove multiple entries',
      (service) => service.remove(null, { query: { done: true } })
    ],
    [
      'MethodNotAllowed',
      'Method `update` is not supported by this endpoint.',
      (service, id) => service.update(id, { subject: 'x' })
    ],
    [
      'BadRequest',
      "You can not replace multiple instances. Did you mean 'patch'?",
      (service) => service.update(null, { subject: 'x' })
    ],
    [
      'MethodNotAllowed',
      'Method `archive` is not supported by this endpoint.',
      (service, id) => service.archive({ id })
    ]
  ],
  inferred: [
    ['NotFound', "No record found for id 'a?b#c%'", (service) => service.get('a?b#c%')],
    ['NotFound', "No record found for id '東京'", (service) => service.remove('東京')],
    ['BadRequest', null, (service) => service.create({ note: 'a subject is required' })],
    ['BadRequest', null, (service) => service.create({ subject: 'x', nope: 1 })],
    ['BadRequest', null, (service) => service.create(undefined)],
    ['BadRequest', null, (service, id) => service.patch(id, { duration: 'long' })],
    ['BadRequest', null, (service) => service.patch(null, { ids: ['x'], done: true })],
    ['BadRequest', null, (service) => service.patch(null, { ids: [], done: true })],
    [
      'BadRequest',
      null,
      (service, id) => service.patch(null, { ids: [id], done: true, note: 'x' })
    ],
    ['Forbidden', null, (service) => service.create({ subject: 'x', organization_id: stranger.id })]
  ]
}

const bearer = (text) => ({ Authorization: `Bearer ${text}` })
const expired = { exp: Math.floor(Date.now() / 1000) - 60 }

/** What is refused before anything is looked at: what it is, evidence, message, headers. */
const CALLERS = [
  ['no credential', 'from_stock_feathers', 'Not authenticated', {}],
  [
    'a scheme that is not ours',
    'from_stock_feathers',
    'Not authenticated',
    { Authorization: 'Basic eDp5' }
  ],
  ['an unknown key', 'from_vendor_doc', 'Invalid API key', { 'x-api-key': 'nobody' }],
  ['a malformed token', 'from_stock_feathers', 'jwt malformed', bearer('nonsense')],
  [
    'a foreign signature',
    'from_stock_feathers',
    'invalid signature',
    bearer(token(organization, {}, 'x'.repeat(32)))
  ],
  ['an expired token', 'from_stock_feathers', 'jwt expired', bearer(token(organization, expired))],
  [
    'an unknown key, a good token',
    'inferred',
    'Invalid API key',
    { 'x-api-key': 'nobody', ...bearer(token(organization)) }
  ]
]

for (const transport of TRANSPORTS) {
  for (const header of Object.keys(CREDENTIALS)) {
    describe(`${transport} with ${header}`, () =>
      refusedCalls(transport, CREDENTIALS[header](organization)))
  }
  describe(`${transport} without a right`, () => refusedCallers(transport))
}
after(disconnect)

function refusedCalls(transport, headers) {
  const service = activities(transport, headers, ['archive'])
  let id
  before(async () => {
    id = (await service.create({ subject: 'to refuse' })).id
  })
  after(async () => {
    assert.equal((await service.remove(id)).subject, 'to refuse', 'no refused call changed it')
  })
  for (const [evidence, calls] of Object.entries(CALLS)) {
    for (const [name, message, call] of calls) {
      const about = String(call).replace(/^.*service\./, '')
      it(`${name}: ${about} [${evidence}]`, limits, async () => {
        await assertThrows(() => call(service, id), name, message?.replace('ID', id))
      })
    }
  }
}

function refusedCallers(transport) {
  for (const [title, evidence, message, headers] of CALLERS) {
    it(`${title} [${evidence}]`, limits, async () => {
      await assertThrows(() => activities(transport, headers).find(), 'NotAuthenticated', message)
    })
  }
  it('a scope that is missing [inferred]', limits, async () => {
    const service = activities(transport, bearer(token(stranger, { scope: 'read' })))
    assert.equal((await service.find()).total, 0)
    await assertThrows(() => service.create({ subject: 'x' }), 'Forbidden')
  })
}

/** Check the class, which the client picks by the name, and that the code belongs to it. */
async function assertThrows(call, name, message) {
  const stock = new errors[name]()
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof errors[name], `${error}`)
    assert.deepEqual([error.code, error.className], [stock.code, stock.className])
    if (message) assert.equal(error.message, message)
    return true
  })
}
