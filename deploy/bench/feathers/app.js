// The reads of AchieveApex's activities as a FeathersJS 5 application serves them: koa, the knex
// adapter with its exact count, and join hooks that ask once a table whatever the page's size.

import { NotAuthenticated } from '@feathersjs/errors';
import { feathers } from '@feathersjs/feathers';
import { KnexService } from '@feathersjs/knex';
import { errorHandler, koa, rest } from '@feathersjs/koa';
import jwt from 'jsonwebtoken';
import knex from 'knex';
import cluster from 'node:cluster';
import pg from 'pg';

const DATE = 1082;
pg.types.setTypeParser(DATE, (text) => text); // As a date is on the wire: no Date in between.

const LIST_COLUMNS = {
  users: ['full_name'],
  deals: ['name'],
  contacts: ['full_name'],
  companies: ['name'],
};
const GET_COLUMNS = {
  users: ['full_name', 'email'],
  deals: ['name', 'stage'],
  contacts: ['full_name', 'email'],
  companies: ['name', 'website'],
};
const JOINS = [
  ['created_by_user', 'created_by_user_id', 'users'],
  ['assigned_to_user', 'assigned_to_user_id', 'users'],
  ['deal', 'deal_id', 'deals'],
  ['contact', 'contact_id', 'contacts'],
  ['company', 'company_id', 'companies'],
];

async function load(db, table, columns, records) {
  const keys = JOINS.filter((join) => join[2] === table).map((join) => join[1]);
  const ids = new Set(records.flatMap((record) => keys.map((key) => record[key])));
  ids.delete(null);
  if (ids.size === 0) return new Map();
  const rows = await db
    .withSchema('feathers')
    .from(table)
    .select('id', ...columns)
    .whereIn('id', [...ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

async function join(db, records, columns) {
  const tables = Object.keys(columns);
  const loaded = await Promise.all(
    tables.map((table) => load(db, table, columns[table], records)),
  );
  const found = Object.fromEntries(tables.map((table, index) => [table, loaded[index]]));
  for (const record of records) {
    for (const [name, key, table] of JOINS) {
      record[name] = found[table].get(record[key]) ?? null;
    }
  }
}

// A token is verified as jsonwebtoken does it, without Feathers' own authentication service,
// which would cost the peer more.
function onlyOwnTenant(context) {
  const token = context.params.headers.authorization?.replace('Bearer ', '');
  try {
    const claims = jwt.verify(token, process.env.JWT_SECRET, { algorithms: ['HS256'] });
    const { organization_id } = claims;
    context.params.query = { ...context.params.query, organization_id, deleted_at: null };
  } catch {
    throw new NotAuthenticated('Not authenticated');
  }
}

function takeFastJoin(context) {
  const { fastJoinForActivityList, ...query } = context.params.query;
  context.params.query = query;
  context.params.fastJoin = fastJoinForActivityList === 'true';
}

function readSort(context) {
  const { $sort } = context.params.query;
  for (const key of Object.keys($sort ?? {})) $sort[key] = Number($sort[key]);
}

function createApp(db) {
  const app = koa(feathers());
  app.use(errorHandler());
  app.configure(rest());
  const options = {
    Model: db,
    name: 'activities',
    schema: 'feathers',
    paginate: { default: 10, max: 100 },
  };
  app.use('activities', new KnexService(options), { methods: ['find', 'get'] });
  app.service('activities').hooks({
    before: {
      find: [takeFastJoin, readSort, onlyOwnTenant],
      get: [onlyOwnTenant],
    },
    after: {
      find: [
        async (context) => {
          if (context.params.fastJoin) await join(db, context.result.data, LIST_COLUMNS);
        },
      ],
      get: [(context) => join(db, [context.result], GET_COLUMNS)],
    },
  });
  return app;
}

if (cluster.isPrimary) {
  for (let worker = 0; worker < Number(process.env.WORKERS); worker += 1) cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  const db = knex({
    client: 'pg',
    connection: {
      host: process.env.PGHOST,
      port: Number(process.env.PGPORT),
      user: process.env.PGUSER,
      database: process.env.PGDATABASE,
    },
    pool: { min: 2, max: 8 },
  });
  await createApp(db).listen(Number(process.env.PORT), '127.0.0.1');
}
