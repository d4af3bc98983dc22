// A stock Feathers application on PostgreSQL: `@feathersjs/koa` and `@feathersjs/knex`, one table
// with AchieveApex's columns, and that table as two services:
//
// - `plain` validates as the adapter does and leaves types to the database: the oracle of SQL
//   semantics, paging and error texts;
// - `typed` has its queries validated and coerced by the schema package, as generated
//   applications do: the oracle of types over a URL.

import { once } from 'node:events'

import { feathers } from '@feathersjs/feathers'
import { KnexService } from '@feathersjs/knex'
import { bodyParser, errorHandler, koa, rest } from '@feathersjs/koa'
import { Ajv, getValidator, hooks, querySyntax } from '@feathersjs/schema'
import addFormats from 'ajv-formats'
import makeKnex from 'knex'
import pg from 'pg'

// Dates and times stay text, as they are on the wire; the driver would make local Dates of them.
const DATE = 1082

const integer = { type: 'integer' }
const text = { type: 'string' }
const nullable = (schema) => ({ ...schema, type: [schema.type, 'null'] })
const formatted = (format) => ({ type: 'string', format })

/** The columns that queries may name, with the schema of each. */
export const COLUMNS = {
  id: integer,
  organization_id: integer,
  created_by_user_id: integer,
  assigned_to_user_id: nullable(integer),
  subject: text,
  note: nullable(text),
  public_description: nullable(text),
  location: nullable(text),
  start_date: nullable(formatted('date')),
  start_time: nullable(formatted('clock')),
  end_date: nullable(formatted('date')),
  end_time: nullable(formatted('clock')),
  duration: nullable({ type: 'number' }),
  deal_id: nullable(integer),
  contact_id: nullable(integer),
  company_id: nullable(integer),
  activity_type: nullable(text),
  done: { type: 'boolean' },
  created_at: formatted('date-time'),
  updated_at: formatted('date-time'),
  deleted_at: nullable(formatted('date-time'))
}

const PATTERNS = { $like: text, $notlike: text, $ilike: text }
const isText = (schema) => schema.type.includes('string') && !schema.format
const extensions = Object.fromEntries(
  Object.entries(COLUMNS).map(([name, schema]) => [name, isText(schema) ? PATTERNS : {}])
)

// Text sorts and folds by the database's own locale: code points, and Unicode's simple cases.
const TABLE = `
  CREATE TABLE activities (
    id serial PRIMARY KEY, organization_id integer, created_by_user_id integer,
    assigned_to_user_id integer, subject text, note text,
    public_description text, location text, location_geocoded json,
    start_date date, start_time time, end_date date, end_time time, duration integer,
    deal_id integer, contact_id integer, company_id integer, activity_type text,
    done boolean DEFAULT false, created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(), deleted_at timestamptz
  )`

/** Make a database of its own beside the one at `url`, with `rows`, and serve it on loopback. */
export async function startStock(url, rows, paginate = { default: 10, max: 100 }) {
  const database = `stock_feathers_${process.pid}_${Date.now()}`
  const server = connect(url)
  const knex = connect(url, database)
  let listener
  const stop = async () => {
    listener?.closeAllConnections()
    listener?.close()
    await knex.destroy()
    await server.raw('DROP DATABASE IF EXISTS ??', [database])
    await server.destroy()
  }
  try {
    await server.raw('CREATE DATABASE ??', [database])
    await fill(knex, rows)
    const app = makeApplication(knex, paginate)
    listener = await app.listen(0, '127.0.0.1')
    if (!listener.listening) await once(listener, 'listening')
    return { app, url: `http://127.0.0.1:${listener.address().port}`, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function fill(knex, rows) {
  await knex.raw(TABLE)
  for (let start = 0; start < rows.length; start += 100) {
    await knex('activities').insert(rows.slice(start, start + 100).map(toColumns))
  }
}

function makeApplication(knex, paginate) {
  const app = koa(feathers())
  app.use(errorHandler())
  app.use(bodyParser())
  app.configure(rest())
  const options = { Model: knex, name: 'activities', id: 'id', paginate }
  app.use('plain', new KnexService(options))
  app.use('typed', new KnexService(options))
  app.service('typed').hooks({ before: { all: [hooks.validateQuery(queryValidator())] } })
  return app
}

function queryValidator() {
  // With the generator's own settings; strict mode would only forbid our lists of types.
  const ajv = addFormats(new Ajv({ coerceTypes: true, strict: false }), ['date', 'date-time'])
  ajv.addFormat('clock', /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/)
  const schema = {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...querySyntax(COLUMNS, extensions),
      $select: querySyntax({ ...COLUMNS, location_geocoded: {} }).$select
    }
  }
  return getValidator(schema, ajv)
}

const toColumns = (row) => ({ ...row, location_geocoded: JSON.stringify(row.location_geocoded) })

function connect(url, database) {
  const place = new URL(url.replace('@/', '@localhost/')) // A socket's URL names no host.
  const types = {
    getTypeParser: (oid, format) => (oid === DATE ? String : pg.types.getTypeParser(oid, format))
  }
  return makeKnex({
    client: 'pg',
    pool: { min: 0, max: 4 },
    connection: {
      host: place.searchParams.get('host') ?? place.hostname,
      port: Number(place.searchParams.get('port') ?? (place.port || 5432)),
      user: decodeURIComponent(place.username),
      password: decodeURIComponent(place.password),
      database: database ?? place.pathname.slice(1),
      options: '-c timezone=UTC',
      types
    }
  })
}
