// `node records.js ORGANIZATIONS SEED` prints what the suites want to find in the gateway, one
// record a line: ORGANIZATIONS is JSON, {name: id}; a day's work finds the vendor's people in it.

import { hiddenRecords, makeRows, manyValued, toRecord } from './rows.js'

// The entities of the vendor's samples, from_vendor_doc; last names are split off by us.
const PEOPLE = [
  { kind: 'user', id: 45, first_name: 'Jane', last_name: 'Smith', email: 'jane.smith@example.com' },
  { kind: 'user', id: 46, first_name: 'John', last_name: 'Doe', email: 'john.doe@example.com' },
  { kind: 'deal', id: 789, name: 'Enterprise Solution', stage: { name: 'Proposal' } },
  { kind: 'contact', id: 456, name: 'Alex Johnson', email: 'alex.johnson@acmecorp.com' },
  { kind: 'company', id: 345, name: 'Acme Corp', website: 'https://acmecorp.com' }
]

const organizations = JSON.parse(process.argv[2])
const seed = Number(process.argv[3])
const print = (record) => console.log(JSON.stringify(record))

for (const [name, id] of Object.entries(organizations)) {
  print({ kind: 'tenant', id, name })
  if (name.startsWith('day_')) PEOPLE.forEach((entity) => print({ ...entity, tenant_id: id }))
}
makeRows(organizations.differential, seed).map(toRecord).forEach(print)
hiddenRecords(organizations.differential).forEach(print)
manyValued(organizations.several).forEach(print)
