// Where the gateway is meant to differ from a stock Feathers service; `source` is the row that
// says so.
//
// `expected` rewrites a query so that a stock service gives the gateway's page; `DEVIATIONS` show
// each other difference by one query: what the gateway answers, and what a stock service does.

import { COUNT } from './rows.js'

const DEFAULT_LIMIT = 10

/** Return the query that asks a stock service for what the gateway understands by `query`. */
export function expected(query, { isTyped = false } = {}) {
  const rewritten = withSubstrings(query)
  // Without an order the gateway orders by id, while a table gives its rows as it likes:
  // docs/dialects/achieveapex.md A61.
  if (rewritten.$sort === undefined) rewritten.$sort = { id: 1 }
  // The schema package refuses what the adapter's own reading of `$limit` takes:
  // docs/dialects/achieveapex.md A59.
  if (isTyped && rewritten.$limit !== undefined) {
    const limit = Number.parseInt(rewritten.$limit, 10)
    rewritten.$limit = limit >= 0 ? limit : DEFAULT_LIMIT
  }
  return rewritten
}

/** A bare subject is a substring in any case (docs/dialects/achieveapex.md A73). */
function withSubstrings(filter) {
  const entries = Object.entries(filter).map(([key, value]) => {
    if (key === '$or' || key === '$and') return [key, value.map(withSubstrings)]
    if (key !== 'subject' || typeof value !== 'string') return [key, value]
    return [key, { $ilike: `%${value.replace(/[\\%_]/g, '\\$&')}%` }]
  })
  return Object.fromEntries(entries)
}

const thirty = Array.from({ length: 30 }, (_, index) => index + 1)
const count = (test) => (rows) => rows.filter(test).length
const everyRow = count(() => true)

/**
 * `ours` and `theirs` are the `total` of the page (a number, or a function of the rows), or the
 * error's `{code}`; `via` says how it is asked: a URL, or the vendor's body of a GET; `stock` which
 * stock service is asked, if not the typed one. `theirs` is absent where there is none to ask.
 */
export const DEVIATIONS = [
  {
    title: 'a bare subject is a substring in any case',
    source: 'docs/dialects/achieveapex.md A73',
    evidence: 'from_vendor_doc',
    via: 'url',
    query: { subject: 'call' },
    ours: count(({ subject }) => subject.toLowerCase().includes('call')),
    theirs: count(({ subject }) => subject === 'call')
  },
  {
    title: 'a negative $limit is the default',
    source: 'docs/dialects/achieveapex.md A59',
    evidence: 'from_stock_feathers',
    via: 'url',
    query: { $limit: -1 },
    ours: everyRow,
    theirs: { code: 400 }
  },
  {
    title: 'a $limit that is no number is the default',
    source: 'docs/dialects/achieveapex.md A59',
    evidence: 'from_stock_feathers',
    via: 'url',
    query: { $limit: 'abc' },
    ours: everyRow,
    theirs: { code: 400 }
  },
  {
    title: 'a negative $skip is 0',
    source: 'docs/dialects/achieveapex.md A59',
    evidence: 'inferred',
    via: 'url',
    query: { $skip: -1 },
    ours: everyRow,
    theirs: { code: 400 }
  },
  {
    title: 'a scalar $in is a list of one',
    source: 'docs/dialects/achieveapex.md A88',
    evidence: 'inferred',
    via: 'url',
    query: { deal_id: { $in: 789 } },
    ours: count((row) => row.deal_id === 789),
    theirs: { code: 400 }
  },
  {
    title: 'a bare $select is a list of one',
    source: 'docs/dialects/achieveapex.md A64',
    evidence: 'inferred',
    via: 'url',
    query: { $select: 'subject' },
    ours: everyRow,
    theirs: { code: 400 }
  },
  {
    title: 'the text null is null for a nullable number',
    source: 'docs/dialects/achieveapex.md A81',
    evidence: 'inferred',
    via: 'url',
    query: { deal_id: 'null' },
    ours: count((row) => row.deal_id === null),
    theirs: { code: 400 }
  },
  {
    title: 'a list of a URL may have more than 20 elements',
    source: 'docs/dialects/achieveapex.md A87',
    evidence: 'from_stock_feathers',
    via: 'url',
    query: { id: { $in: thirty } },
    ours: 30,
    theirs: { code: 400 }
  },
  {
    title: 'a URL may be nested deeper than 5',
    source: 'docs/dialects/achieveapex.md A87',
    evidence: 'from_stock_feathers',
    via: 'url',
    query: { $and: [{ $or: [{ id: { $in: [1, 2] } }] }] },
    ours: 2,
    theirs: { code: 400 }
  },
  {
    title: 'an order by an unknown column is refused before SQL',
    source: 'docs/dialects/achieveapex.md A62',
    evidence: 'from_stock_feathers',
    via: 'url',
    query: { $sort: { nope: 1 } },
    ours: { code: 400 },
    theirs: { code: 422 }
  },
  {
    title: 'a number that is none is refused before SQL',
    source: 'docs/dialects/achieveapex.md A83',
    evidence: 'from_stock_feathers',
    via: 'url',
    query: { duration: { $in: ['Infinity'] } },
    ours: { code: 400 },
    theirs: { code: 404 }
  },
  {
    title: 'operators are checked inside $and too, which the SQL adapter leaves out',
    source: 'docs/dialects/achieveapex.md A70',
    evidence: 'from_stock_feathers',
    via: 'url',
    stock: 'plain',
    query: { $and: [{ $and: [{ deal_id: 789 }] }] },
    ours: { code: 400 },
    theirs: count((row) => row.deal_id === 789)
  },
  {
    title: 'an explicit foreign organization is forbidden, not merely empty',
    source: 'docs/dialects/achieveapex.md A23',
    evidence: 'from_vendor_doc',
    via: 'url',
    query: { organization_id: 1_999_999 },
    ours: { code: 403 },
    theirs: 0
  },
  {
    title: 'the query may be the body of a GET, which stock ignores',
    source: 'docs/dialects/achieveapex.md A91',
    evidence: 'from_vendor_doc',
    via: 'body',
    query: { deal_id: 789 },
    ours: count((row) => row.deal_id === 789),
    theirs: everyRow
  },
  {
    title: 'an empty $in of a body matches nothing',
    source: 'docs/dialects/achieveapex.md A72',
    evidence: 'from_stock_feathers',
    via: 'body',
    query: { id: { $in: [] } },
    ours: 0,
    theirs: everyRow
  },
  {
    // A URL drops `{}`, the SQL builder its empty group; in a body it is no condition.
    title: 'an alternative without conditions holds for every row',
    source: 'docs/dialects/achieveapex.md A72',
    evidence: 'inferred',
    via: 'body',
    query: { $or: [{}, { deal_id: 789 }] },
    ours: everyRow
  },
  {
    title: 'a deleted activity is never found',
    source: 'docs/dialects/achieveapex.md A39',
    evidence: 'from_vendor_doc',
    via: 'url',
    query: { id: COUNT + 1 },
    ours: 0
  },
  {
    title: 'not even when deleted ones are asked for',
    source: 'docs/dialects/achieveapex.md A39',
    evidence: 'from_vendor_doc',
    via: 'body',
    query: { deleted_at: { $ne: null } },
    ours: 0
  },
  {
    title: 'a private activity of others is never found',
    source: 'docs/dialects/achieveapex.md A25',
    evidence: 'inferred',
    via: 'url',
    query: { id: COUNT + 2 },
    ours: 0
  }
]

const several = ([first, second]) => [
  [{ assigned_to_user_id: first }, 1],
  [{ assigned_to_user_id: second }, 2]
]

/** A filter on a one-valued key means membership in the list behind it: docs/laws.md R7. */
export const MEMBERSHIP = [
  ...several([901, 902]),
  [{ contact_id: 912 }, 2],
  [{ company_id: 922 }, 2],
  [{ company_id: 921 }, 1],
  [{ assigned_to_user_id: { $in: [902, 5] } }, 2],
  [{ assigned_to_user_id: { $ne: 901 } }, 1],
  [{ assigned_to_user_id: { $nin: [901] } }, 1],
  [{ assigned_to_user_id: { $nin: [902] } }, 0]
]
