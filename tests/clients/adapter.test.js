// `@feathersjs/adapter-tests`, the suite that every Feathers database adapter has to pass, against
// the running gateway over HTTP. What it says of a service's wire is required of the gateway.

import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'

import adapterTests from '@feathersjs/adapter-tests'
import errors from '@feathersjs/errors'

import { activities, config, CREDENTIALS, disconnect } from './connections.js'
import { RenamedService } from './renamed.js'

/** They test the gateway alone. */
const WIRE = [
  '.get',
  '.get + $select',
  '.get + id + query',
  '.get + NotFound',
  '.get + NotFound (integer)',
  '.get + id + query id',
  '.find',
  '.remove',
  '.remove + $select',
  '.remove + id + query',
  '.remove + NotFound',
  '.remove + NotFound (integer)',
  '.remove + id + query id',
  '.patch',
  '.patch + $select',
  '.patch + id + query',
  '.patch + NotFound',
  '.patch + NotFound (integer)',
  '.patch + query + NotFound',
  '.patch + id + query id',
  '.create',
  '.create ignores query',
  '.create + $select',
  '.find + equal',
  '.find + equal multiple',
  '.find + $sort',
  '.find + $sort + string',
  '.find + $limit',
  '.find + $limit 0',
  '.find + $skip',
  '.find + $select',
  '.find + $or',
  '.find + $in',
  '.find + $nin',
  '.find + $lt',
  '.find + $lte',
  '.find + $gt',
  '.find + $gte',
  '.find + $ne',
  '.find + $gt + $lt + $sort',
  '.find + $or nested + $sort',
  '.find + $and',
  '.find + $and + $or'
]

/** They change a page size on the server's object; `$limit` carries it over the wire instead. */
const PAGING = [
  '.find + paginate',
  '.find + paginate + query',
  '.find + paginate + $limit + $skip',
  '.find + paginate + $limit 0',
  '.find + paginate + params',
  'params.adapter + paginate'
]

/**
 * Their first halves want a gateway that refuses many at once, which is the wire. Their second
 * halves switch `multi` on: not documented by the vendor, and made of single calls here.
 */
const MULTI = [
  '.remove + multi',
  '.remove + multi no pagination',
  '.patch multiple',
  '.patch multiple no pagination',
  '.patch multi query same',
  '.patch multi query changed',
  '.create multi',
  'params.adapter + multi'
]

// docs/dialects/achieveapex.md A5.
const UNDOCUMENTED = 'PUT is not documented by the vendor and answers 405'
const LOCAL = 'looks at the local object only: passes whatever the gateway does'
const IN_PROCESS = 'calls methods inside the server process: nothing of it travels over HTTP'

/** Every test of the suite that is not run, with the reason. */
const EXCLUDED = {
  '.update': UNDOCUMENTED,
  '.update + $select': UNDOCUMENTED,
  '.update + id + query': UNDOCUMENTED,
  '.update + NotFound': UNDOCUMENTED,
  '.update + NotFound (integer)': UNDOCUMENTED,
  '.update + query + NotFound': UNDOCUMENTED,
  '.update + id + query id': UNDOCUMENTED,
  '.options': LOCAL,
  '.events': LOCAL,
  '._get': LOCAL,
  '._find': LOCAL,
  '._create': LOCAL,
  '._update': LOCAL,
  '._patch': LOCAL,
  '._remove': LOCAL,
  'internal .find': IN_PROCESS,
  'internal .get': IN_PROCESS,
  'internal .create': IN_PROCESS,
  'internal .update': IN_PROCESS,
  'internal .patch': IN_PROCESS,
  'internal .remove': IN_PROCESS
}

/** Collect the names of every test that the suite has, without running one. */
function namesOfSuite() {
  const names = []
  const nothing = () => {}
  const only = (name) => names.push(name)
  withGlobals({ describe: (_, body) => body.call({ timeout: nothing }), it: only }, () =>
    adapterTests([])(null, errors, 'people')
  )
  return names.filter((name) => name !== '.id')

  function withGlobals({ describe: group, it: test }, run) {
    test.skip = test
    const hooks = { before: nothing, after: nothing, beforeEach: nothing, afterEach: nothing }
    Object.assign(globalThis, { describe: group, it: test, ...hooks })
    run()
  }
}

/** Run these tests of the suite against one organization; the others leave no trace. */
function run(names, organization, transport) {
  const headers = CREDENTIALS['x-api-key'](organization)
  const service = new RenamedService(activities(transport, headers))
  const test = (name, body) => it(name, { timeout: 20_000 }, body)
  test.skip = () => {}
  const quiet = () => {} // Its `after` only lists what was skipped, which EXCLUDED says better.
  Object.assign(globalThis, { describe, it: test, before, beforeEach, afterEach, after: quiet })
  adapterTests(names)({ service: () => service }, errors, 'people')
}

const suite = namesOfSuite()
const { organizations } = config

describe('the suite is run as a whole', () => {
  it('places every test in one group', () => {
    const placed = [...WIRE, ...PAGING, ...MULTI, ...Object.keys(EXCLUDED)]
    assert.deepEqual([...placed].sort(), [...suite].sort())
    assert.equal(WIRE.length, 43)
  })
})
describe('wire, fetch', () => run(WIRE, organizations.wire_fetch, 'fetch'))
describe('wire, axios', () => run(WIRE, organizations.wire_axios, 'axios'))
describe('paging', () => run(PAGING, organizations.paging, 'fetch'))
describe('multi', () => run(MULTI, organizations.multi, 'fetch'))
after(disconnect)
