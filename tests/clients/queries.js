// Generated queries of the Feathers language, with fast-check: valid ones, and broken ones.

import fc from 'fast-check'

import { COLUMNS } from './stock.js'

const NAMES = Object.keys(COLUMNS)
const FILTERED = NAMES.filter((name) => name !== 'organization_id')
const SELECTED = [...NAMES, 'location_geocoded']
const COMPARISONS = ['$lt', '$lte', '$gt', '$gte']
const PATTERNS = ['$like', '$notlike', '$ilike']
const PATTERN_TEXTS = [
  '%',
  '_',
  '%call%',
  'Call%',
  '%\\%%',
  '%\\_%',
  '_all',
  '%É%',
  '%é%',
  '',
  '%\\\\%',
  'CALL',
  '%o_n%',
  '%ß%',
  'e_',
  '%𐐨%',
  'ა',
  '%i%'
]

const isNullable = (name) => COLUMNS[name].type.includes('null')
const isText = (name) => COLUMNS[name].type.includes('string') && !COLUMNS[name].format
const isInteger = (name) => COLUMNS[name].type.includes('integer')

/** Return a maker of filters: objects of conditions on at most so many columns. */
function filterMaker(rows, { hasNulls, hasEmpty }) {
  const pools = Object.fromEntries(FILTERED.map((name) => [name, pool(name, rows)]))
  const few = { minLength: hasEmpty ? 0 : 1, maxLength: 5 }

  function operand(name) {
    const values = fc.constantFrom(...pools[name])
    const canBeNull = isNullable(name) && (hasNulls || isInteger(name))
    return canBeNull ? fc.oneof({ weight: 6, arbitrary: values }, fc.constant(null)) : values
  }

  function condition(name, hasLists) {
    const value = operand(name)
    const operators = { $ne: value }
    for (const comparison of COMPARISONS) operators[comparison] = fc.constantFrom(...pools[name])
    if (hasLists) operators.$in = operators.$nin = fc.array(value, few)
    const patterns = isText(name) ? PATTERNS : []
    for (const pattern of patterns) operators[pattern] = fc.constantFrom(...PATTERN_TEXTS)
    return fc.oneof({ weight: 3, arbitrary: value }, { weight: 4, arbitrary: some(operators, 2) })
  }

  return (most, hasLists = true) =>
    fc
      .uniqueArray(fc.constantFrom(...FILTERED), { minLength: 1, maxLength: most })
      .chain((names) =>
        fc.record(Object.fromEntries(names.map((name) => [name, condition(name, hasLists)])))
      )
}

/**
 * Return arbitraries of valid queries over the values that `rows` hold.
 *
 * `hasNulls`: whether null may be asked for of any column; a URL carries it for numbers only.
 * `isDeep`: whether `$or` may stand inside `$or`, and lists inside both; the schema package and
 * the depth of `qs` allow less. `hasEmpty`: whether `[]` occurs; a URL drops it.
 */
export function validQueries(rows, { hasNulls, isDeep, hasEmpty }) {
  const filters = filterMaker(rows, { hasNulls, hasEmpty })
  const leaf = filters(2)
  const innermost = filters(2, isDeep)
  const several = (items, minLength = 1) => fc.array(items, { minLength, maxLength: 3 })
  const least = hasEmpty ? 0 : 1
  // An alternative always says something: see "an alternative without conditions" in deviations.
  const withOr = (items, inner) =>
    fc.oneof(
      { weight: 3, arbitrary: items },
      fc.record({ $or: several(inner) }),
      fc.tuple(items, several(inner)).map(([item, $or]) => ({ ...item, $or }))
    )

  const orItem = isDeep ? withOr(leaf, withOr(innermost, innermost)) : leaf
  const andItem = withOr(leaf, isDeep ? orItem : innermost)

  const logical = fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    { weight: 3, arbitrary: fc.record({ $or: several(orItem, least) }) },
    { weight: 1, arbitrary: fc.record({ $and: several(andItem, least) }) },
    {
      weight: 1,
      arbitrary: fc.record({ $or: several(orItem, least), $and: several(andItem, least) })
    }
  )
  const own = fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 3, arbitrary: filters(1) },
    { weight: 1, arbitrary: filters(3) }
  )
  return fc.tuple(own, logical, pages(hasEmpty)).map((parts) => Object.assign({}, ...parts))
}

/** Return an arbitrary of two small filters, to be joined in different ways. */
export function twoFilters(rows) {
  const values = (name) => fc.constantFrom(...pool(name, rows))
  const filter = fc
    .constantFrom(...FILTERED)
    .chain((name) => values(name).map((value) => ({ [name]: value })))
  return fc
    .tuple(filter, filter)
    .filter(([one, other]) => Object.keys(one)[0] !== Object.keys(other)[0])
}

/** Values that a column holds, values beside them, and values that no row has. */
function pool(name, rows) {
  const held = [...new Set(rows.map((row) => row[name]).filter((value) => value !== null))]
  const { format } = COLUMNS[name]
  if (format === 'date') return [...held, '2025-04-30', '1999-12-31', '2100-01-01']
  if (format === 'clock') return [...held, '00:00:00', '23:59:59']
  if (format === 'date-time')
    return [...held, ...held.slice(0, 20).map(inIndia), '2025-03-29T00:00:00Z']
  if (isText(name)) return [...held, 'no such text', 'CALL', '100%', '_']
  if (name === 'done') return [true, false]
  return [...held, 0, 1, 2147483647]
}

/** The same instant as another offset writes it. */
function inIndia(stamp) {
  const shifted = new Date(new Date(stamp).getTime() + 330 * 60_000).toISOString()
  return shifted.replace('Z', '+05:30')
}

/** At least one and at most `most` of these keys. */
function some(arbitraries, most) {
  return fc
    .uniqueArray(fc.constantFrom(...Object.keys(arbitraries)), { minLength: 1, maxLength: most })
    .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, arbitraries[name]]))))
}

function pages(hasEmpty) {
  const order = fc
    .uniqueArray(fc.constantFrom(...NAMES), { maxLength: 3 })
    .chain((names) =>
      fc.record(Object.fromEntries(names.map((name) => [name, fc.constantFrom(1, -1)])))
    )
  return fc.record(
    {
      // `id` at the end makes every order total; a key that stands already keeps its place.
      $sort: fc
        .tuple(order, fc.constantFrom(1, -1))
        .map(([keys, id]) => ({ ...keys, id: keys.id ?? id })),
      $limit: fc.constantFrom(0, 1, 2, 5, 10, 10, 25, 25, 99, 100, 101, 1000, '5.9', -1, 'many'),
      $skip: fc.constantFrom(0, 0, 0, 1, 1, 2, 7, 30, 239, 240, 5000),
      $select: fc.uniqueArray(fc.constantFrom(...SELECTED), {
        minLength: hasEmpty ? 0 : 1,
        maxLength: 5
      })
    },
    { requiredKeys: [] }
  )
}

/** Broken parts that Feathers' own query reader refuses, by the name of an operator. */
const NO_OPERATORS = [
  '$eq',
  '$not',
  '$nor',
  '$exists',
  '$regex',
  '$contains',
  '$foo',
  '$where',
  '$and'
]
const NO_FILTERS = ['$foo', '$eq', '$limits', '$in', '$regex', '$populate']

const column = fc.constantFrom(...FILTERED)
const wrongName = fc.constantFrom(...NO_OPERATORS)

/** Queries with one operator that does not exist; a stock service says so in its own words. */
export const unknownOperators = fc.oneof(
  fc.constantFrom(...NO_FILTERS).map((name) => ({ [name]: '1' })),
  fc.tuple(column, wrongName).map(([name, operator]) => ({ [name]: { [operator]: '1' } })),
  wrongName.map((name) => ({ $or: [{ [name]: '1' }] })),
  fc
    .tuple(column, wrongName)
    .map(([name, operator]) => ({ $or: [{ [name]: { [operator]: '1' } }] })),
  wrongName.map((name) => ({ $and: [{ [name]: '1' }] })),
  fc
    .tuple(column, wrongName)
    .map(([name, operator]) => ({ $and: [{ $or: [{ [name]: { [operator]: '1' } }] }] })),
  fc.constant({ $or: [{ $and: [{ deal_id: '1' }] }] }),
  fc.constant({ $and: [{ $and: [{ deal_id: '1' }] }] })
)

const WRONG_TEXTS = {
  integer: ['abc', '1.5', 'true', 'NaN', '1,2'],
  number: ['abc', 'true', '1,5', '1 5'],
  boolean: ['yes', '1', '0', 'TRUE', ''],
  date: ['soon', '2025-13-01', '2025-02-30', '20250401', '2025-4-1', '01/04/2025'],
  clock: ['noon', '25:00:00', '10:60:00', '1430', '10-30-00'],
  'date-time': ['now', '2025-13-01T00:00:00Z', '2025-04-01T25:00:00Z', '0']
}
const typed = FILTERED.filter((name) => !isText(name))
const wrongValue = fc.constantFrom(...typed).chain((name) => {
  const { type, format } = COLUMNS[name]
  const kind = format ?? [type].flat()[0]
  return fc.constantFrom(...WRONG_TEXTS[kind]).map((value) => [name, value])
})
const unknownName = fc.constantFrom(
  'nope',
  'name',
  'organization',
  'Id',
  'tenant_id',
  'deal.id',
  'location_geocoded.lat'
)

/** Queries with one value, name or shape that the columns do not allow. */
export const untypable = fc.oneof(
  wrongValue.map(([name, value]) => ({ [name]: value })),
  fc
    .tuple(wrongValue, fc.constantFrom('$ne', ...COMPARISONS))
    .map(([[name, value], operator]) => ({ [name]: { [operator]: value } })),
  fc
    .tuple(wrongValue, fc.constantFrom('$in', '$nin'))
    .map(([[name, value], operator]) => ({ [name]: { [operator]: [value] } })),
  wrongValue.map(([name, value]) => ({ $or: [{ id: '1' }, { [name]: value }] })),
  wrongValue.map(([name, value]) => ({ $and: [{ [name]: value }] })),
  unknownName.map((name) => ({ [name]: '1' })),
  unknownName.map((name) => ({ $or: [{ [name]: '1' }] })),
  unknownName.map((name) => ({ $select: [name] })),
  fc
    .tuple(column, fc.constantFrom('2', '0', 'up', '1.5'))
    .map(([name, value]) => ({ $sort: { [name]: value } })),
  fc.constantFrom('id', '1', '').map((value) => ({ $sort: value })),
  fc
    .tuple(fc.constantFrom('$or', '$and'), fc.constantFrom('x', '1'))
    .map(([name, value]) => ({ [name]: value })),
  fc
    .tuple(fc.constantFrom('$or', '$and'), fc.constantFrom('x', '1'))
    .map(([name, value]) => ({ [name]: [value] })),
  column.map((name) => ({ [name]: ['1', '2'] })),
  fc
    .tuple(fc.constantFrom(...typed), fc.constantFrom(...PATTERNS))
    .map(([name, operator]) => ({ [name]: { [operator]: '%1%' } }))
)
