// The same generated queries against the gateway and against stock Feathers services on the same
// rows in the same PostgreSQL: same pages to the letter, same refusals.
//
// CLIENTS_CONFIG's `seed` and `runs` repeat a run; a failure prints the smallest query.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { filterQuery } from '@feathersjs/adapter-commons'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import fc from 'fast-check'

import { activities, config, CREDENTIALS, disconnect, getWithBody } from './connections.js'
import { DEVIATIONS, expected, MEMBERSHIP } from './deviations.js'
import { twoFilters, unknownOperators, untypable, validQueries } from './queries.js'
import { makeRows } from './rows.js'
import { startStock } from './stock.js'

const organization = config.organizations.differential
const headers = CREDENTIALS['x-api-key'](organization)
const rows = makeRows(organization.id, config.seed)
const gateway = activities('fetch', headers)
const SHARES = {
  overUrl: 0.3,
  inBody: 0.3,
  typed: 0.2,
  joined: 0.02,
  single: 0.05,
  unknownOperators: 0.1,
  untypable: 0.1
}

const LONGEST_QUERY = 8_000
const limits = { timeout: 120_000 }

let stock
let plain
let stockClient
const compared = { queries: 0, pages: 0, refusals: 0, nonEmpty: 0 }

before(async () => {
  stock = await startStock(config.postgres, rows)
  plain = stock.app.service('plain')
  stockClient = feathers().configure(rest(stock.url).fetch(fetch))
})
after(async () => {
  disconnect()
  await stock?.stop()
  console.log(`compared: ${JSON.stringify(compared)}`)
})

/** Ask `property` of as many queries as this share of the runs; report the smallest failure. */
async function compare(share, arbitrary, property) {
  const numRuns = Math.ceil(config.runs * SHARES[share])
  const check = fc.asyncProperty(arbitrary, async (query) => {
    compared.queries += 1
    await property(query)
  })
  await fc.assert(check, { seed: config.seed, numRuns, endOnFailure: false })
}

// What is too long for a URL goes in the body, as the vendor's page has it.
const overUrl = (query) =>
  gateway.getQuery(query).length > LONGEST_QUERY ? inBody(query) : outcome(gateway.find({ query }))
const inBody = async (query) => {
  const { status, body } = await getWithBody('/activities', { query }, headers)
  return status === 200 ? { page: body } : { error: body }
}

async function outcome(promise) {
  try {
    return { page: JSON.parse(JSON.stringify(await promise)) }
  } catch (error) {
    const { name, code, message, className, data } = error
    return { error: { name, message, code, className, ...(data === undefined ? {} : { data }) } }
  }
}

/** Read a query as every Feathers adapter does; the SQL adapter itself leaves out `$and`. */
async function asFeathersReads(query) {
  return filterQuery(structuredClone(query), { operators: ['$like', '$notlike', '$ilike'] })
}

function assertSamePage(ours, theirs) {
  assert.ok(theirs.page, `stock refused: ${JSON.stringify(theirs.error)}`)
  assert.ok(ours.page, `the gateway refused: ${JSON.stringify(ours.error)}`)
  compared.pages += 1
  compared.nonEmpty += ours.page.data.length > 0
  const brief = ({ page: { data, ...rest } }) => ({ ...rest, ids: data.map(({ id }) => id) })
  assert.deepEqual(brief(ours), brief(theirs))
  // As text, so that the order of keys counts too.
  assert.equal(JSON.stringify(ours.page), JSON.stringify(theirs.page))
}

describe('pages', () => {
  const url = { hasNulls: false, isDeep: true, hasEmpty: false }
  const body = { hasNulls: true, isDeep: true, hasEmpty: true }
  const flat = { hasNulls: false, isDeep: false, hasEmpty: false }

  it('has the same rows on both sides', async () => {
    const query = { $sort: { id: 1 }, $limit: 100, $skip: 100 }
    assertSamePage(await overUrl(query), await outcome(plain.find({ query })))
  })
  it('are those of the SQL adapter, asked over the URL', limits, () =>
    compare('overUrl', validQueries(rows, url), async (query) => {
      const theirs = await outcome(plain.find({ query: expected(query) }))
      assertSamePage(await overUrl(query), theirs)
    })
  )
  it('are those of the SQL adapter, asked in the body', limits, () =>
    compare('inBody', validQueries(rows, body), async (query) => {
      const theirs = await outcome(plain.find({ query: expected(query) }))
      assertSamePage(await inBody(query), theirs)
    })
  )
  it('are those of a typed service behind its own URL', limits, () =>
    compare('typed', validQueries(rows, flat), async (query) => {
      const theirs = await askStock({ via: 'url', query: expected(query, { isTyped: true }) })
      assertSamePage(await overUrl(query), theirs)
    })
  )
  // A server that remembers statements must not take one joining for another.
  it('tell the ways to join two filters apart, whichever was asked before', limits, () =>
    compare('joined', twoFilters(rows), async (filters) => {
      const queries = [{ $or: filters }, { $and: filters }, Object.assign({}, ...filters)]
      for (const query of [...queries, ...queries.reverse()]) {
        const theirs = await outcome(plain.find({ query: expected(query) }))
        assertSamePage(await overUrl(query), theirs)
      }
    })
  )
  it('hold one record, or none with the same words, when an id is asked for', limits, () =>
    compare(
      'single',
      fc.tuple(fc.integer({ min: 0, max: 300 }), twoFilters(rows)),
      async (pair) => {
        const [id, [filter]] = pair
        const [ours, theirs] = await Promise.all([
          outcome(gateway.get(id, { query: { ...filter, $select: ['subject', 'id'] } })),
          outcome(plain.get(id, { query: { ...expected(filter), $select: ['subject', 'id'] } }))
        ])
        assert.deepEqual(ours, theirs)
      }
    )
  )
  it('tell a text from the name of a column', async () => {
    const named = ['deal_id', 'notes', 'note', 'location', 'contact_ids', 'start_date']
    for (const subject of named) {
      const query = { subject }
      for (const other of [{ deal_id: null }, { note: null }, { contact_id: null }])
        await inBody(other)
      assertSamePage(await overUrl(query), await outcome(plain.find({ query: expected(query) })))
    }
  })
})

describe('refusals', () => {
  it('of unknown operators are those of Feathers, word for word', limits, () =>
    compare('unknownOperators', unknownOperators, async (query) => {
      const theirs = await outcome(asFeathersReads(query))
      assert.deepEqual(await overUrl(query), theirs)
      assert.deepEqual(await inBody(query), theirs)
      compared.refusals += 1
    })
  )
  it('of wrong values, names and shapes are those of the schema package', limits, () =>
    compare('untypable', untypable, async (query) => {
      const theirs = await askStock({ via: 'url', query })
      const ours = await overUrl(query)
      assert.ok(theirs.error, `stock took it: ${JSON.stringify(theirs.page?.total)}`)
      assert.ok(ours.error, `the gateway took it: ${JSON.stringify(ours.page?.total)}`)
      const essence = ({ error: { name, code, className } }) => ({ name, code, className })
      assert.deepEqual(essence(ours), essence(theirs))
      compared.refusals += 1
    })
  )
})

describe('deviations, each documented', () => {
  for (const deviation of DEVIATIONS) {
    const { title, source, evidence, via, query, ours, theirs } = deviation
    it(`${title} [${source}, ${evidence}]`, async () => {
      const answer = await (via === 'body' ? inBody : overUrl)(query)
      assert.deepEqual(brief(answer), resolved(ours), 'the gateway')
      if (theirs === undefined) return
      assert.deepEqual(brief(await askStock(deviation)), resolved(theirs), 'stock')
    })
  }

  // docs/dialects/achieveapex.md A74, inferred.
  it('many-valued keys are filtered by membership', async () => {
    const service = activities('fetch', CREDENTIALS['x-api-key'](config.organizations.several))
    for (const [query, total] of MEMBERSHIP) {
      assert.equal((await service.find({ query })).total, total, JSON.stringify(query))
    }
  })
  // docs/dialects/achieveapex.md A52, from the vendor's page.
  it('a bulk patch answers an object, stock refuses it', async () => {
    const ids = [1, 2]
    const done = rows[0].done
    assert.deepEqual(await gateway.patch(null, { ids: [1], done }), { updated: 1, ids: [1] })
    await assert.rejects(() => plain.patch(null, { ids, done }), { code: 405 })
  })
})

const brief = ({ page, error }) => (error ? { code: error.code } : page.total)
const resolved = (value) => (typeof value === 'function' ? value(rows) : value)

async function askStock({ via, query, stock: name = 'typed' }) {
  if (via === 'url') return outcome(stockClient.service(name).find({ query }))
  const { body } = await getWithBody(`/${name}`, { query }, {}, stock.url)
  return { page: body }
}
