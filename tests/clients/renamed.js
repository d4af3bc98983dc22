// A service as `@feathersjs/adapter-tests` wants it, around a genuine REST client of the gateway.
//
// The suite's people are activities here: name is subject, age is duration, created is done. What
// the suite sets on a server's object never reaches the wire, so it is turned into what does:
// `paginate` into `$limit`, `multi` into single calls. A plain find gives an array, as unpaged.

const RENAMED = { name: 'subject', age: 'duration', created: 'done' }
const RESTORED = Object.fromEntries(Object.entries(RENAMED).map(([theirs, ours]) => [ours, theirs]))
const NAMING = ['$select'] // The values of these are names, and so are the keys of everything else.
const MANY = 100 // The gateway's largest page.

const isPlain = (value) => Object.prototype.toString.call(value) === '[object Object]'

/** Return `value` with every key, and every name in `$select`, replaced by `names`. */
function rename(value, names) {
  if (Array.isArray(value)) return value.map((element) => rename(element, names))
  if (!isPlain(value)) return value
  const entries = Object.entries(value).map(([key, inner]) => [
    names[key] ?? key,
    NAMING.includes(key) ? inner.map((name) => names[name] ?? name) : rename(inner, names)
  ])
  return Object.fromEntries(entries)
}

const toWire = (value) => rename(value, RENAMED)
const fromWire = (value) => rename(value, RESTORED)

/** A service of the suite's people, kept as activities behind `wire`. */
export class RenamedService {
  constructor(wire) {
    this.wire = wire
    this.id = 'id'
    this.options = { multi: false, paginate: {} }
  }

  async find(params = {}) {
    const paginate = params.paginate ?? params.adapter?.paginate ?? this.options.paginate
    if (!paginate || !paginate.default) return this.#everything(params)
    const query = { $limit: paginate.default, ...params.query }
    query.$limit = Math.min(query.$limit, paginate.max ?? MANY)
    return fromWire(await this.wire.find({ query: toWire(query) }))
  }

  async #everything({ query = {} }) {
    if (query.$limit !== undefined)
      return fromWire((await this.wire.find({ query: toWire(query) })).data)
    const found = []
    for (;;) {
      const turn = { ...query, $limit: MANY, $skip: (query.$skip ?? 0) + found.length }
      const page = await this.wire.find({ query: toWire(turn) })
      found.push(...page.data)
      if (page.data.length < MANY) return fromWire(found)
    }
  }

  async get(id, params = {}) {
    return fromWire(await this.wire.get(id, asQuery(params)))
  }

  async create(data, params = {}) {
    if (Array.isArray(data) && this.#allows('create', params)) {
      return inTurn(data, (one) => this.create(one, params))
    }
    return fromWire(await this.wire.create(toWire(data), asQuery(params)))
  }

  async patch(id, data, params = {}) {
    if (id === null && this.#allows('patch', params)) {
      const found = await this.#everything(params)
      const { $select } = params.query ?? {}
      const wanted = $select ? { query: { $select } } : {}
      return inTurn(found, (one) => this.patch(one.id, data, wanted))
    }
    return fromWire(await this.wire.patch(id, toWire(data), asQuery(params)))
  }

  async remove(id, params = {}) {
    if (id === null && this.#allows('remove', params)) {
      return inTurn(await this.#everything(params), (one) => this.remove(one.id))
    }
    return fromWire(await this.wire.remove(id, asQuery(params)))
  }

  #allows(method, params) {
    const multi = params.adapter?.multi ?? this.options.multi
    return multi === true || (Array.isArray(multi) && multi.includes(method))
  }
}

const asQuery = ({ query }) => (query ? { query: toWire(query) } : {})

async function inTurn(values, call) {
  const results = []
  for (const value of values) results.push(await call(value))
  return results
}
