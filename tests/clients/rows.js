// Rows for the differential test: the same for the gateway (records to import) and for a stock
// Feathers service (rows of a table), made from a seed.

export const COUNT = 240
const FIRST_INSTANT = Date.UTC(2025, 2, 28, 9, 30, 15, 391) // The vendor's sample, from_vendor_doc.

const SUBJECTS = [
  'Sales Follow-up Call',
  'Product Demo',
  'Onboarding Call', // from_vendor_doc
  'call',
  'CALL',
  'Call back',
  'recall',
  '',
  ' ',
  'trailing ',
  "O'Brien",
  '"quoted"',
  '5',
  'null',
  'true',
  '100% sure',
  '100 percent',
  'under_score',
  'underXscore',
  'back\\slash',
  'back/slash',
  'a+b & c=d',
  'x[0]',
  '$in',
  'Émile',
  'émile',
  'naïve',
  'party 🎉',
  'tab\tbed',
  'line\nbreak',
  '東京',
  'straße',
  'STRASSE',
  'ﬁsh',
  'ǅ',
  'Ა',
  '𐐀',
  'e\u0301'
] // the others inferred: everything that a URL or a pattern can get wrong
const NOTES = [
  null,
  null,
  '',
  'Discuss new product features and pricing',
  'x_y%z',
  '日本',
  '<b>bold</b>'
]
const PLACES = [null, '', 'Zoom Meeting', 'Online - Zoom', 'Client Office', 'zoom meeting']
const TYPES = [null, 'call', 'meeting', 'task', 'Call', '']
const PINS = [
  null,
  { lat: 37.7749, lng: -122.4194, address: 'San Francisco, CA' },
  { lat: 40.7128, lng: -74.006, address: 'New York, NY' }
]
const SPANS = [15, 30, 30, 45, 90]

/** Return a generator of numbers in [0, 1), the same for the same seed. */
export function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Return the rows as AchieveApex shows them, without `location_geocoded` being text. */
export function makeRows(organizationId, seed) {
  const next = random(seed)
  const below = (count) => Math.floor(next() * count)
  const pick = (values) => values[below(values.length)]
  return Array.from({ length: COUNT }, (_, index) =>
    makeRow(organizationId, index, { below, pick })
  )
}

function makeRow(organizationId, index, { below, pick }) {
  const created = new Date(FIRST_INSTANT + index * 7_777 + below(5_000))
  const updated = new Date(created.getTime() + pick([0, 0, 86_400_000 + index]))
  return {
    id: index + 1,
    organization_id: organizationId,
    created_by_user_id: pick([45, 46, 47]),
    assigned_to_user_id: pick([null, 45, 46, 47]),
    subject: pick(SUBJECTS),
    note: pick(NOTES),
    public_description: pick(NOTES),
    location: pick(PLACES),
    location_geocoded: pick(PINS),
    ...makeTimes(below, pick),
    deal_id: pick([null, 789, 790, 791]),
    contact_id: pick([null, 456, 457, 458]),
    company_id: pick([null, 345, 346]),
    activity_type: pick(TYPES),
    done: pick([true, false, false]),
    created_at: created.toISOString(),
    updated_at: updated.toISOString(),
    deleted_at: null
  }
}

function makeTimes(below, pick) {
  const unset = { start_date: null, start_time: null, end_date: null, end_time: null }
  const day = `2025-04-${String(1 + below(28)).padStart(2, '0')}`
  const shape = below(6)
  if (shape === 0) return { ...unset, duration: pick([null, 0, 20]) }
  if (shape === 1) return { ...unset, start_date: day, end_date: day, duration: pick([null, 60]) }
  const start = 8 * 60 + below(20) * 30
  const span = pick(SPANS)
  return {
    start_date: day,
    start_time: clock(start),
    end_date: day,
    end_time: clock(start + span),
    duration: shape === 2 ? pick([10, 20, 480]) : span
  }
}

const clock = (minutes) =>
  [Math.floor(minutes / 60), minutes % 60, 0].map((part) => String(part).padStart(2, '0')).join(':')

/** Return a row as a record of the gateway's import. */
export function toRecord(row) {
  const list = (id) => (id === null ? [] : [id])
  const renamed = {
    kind: 'activity',
    tenant_id: row.organization_id,
    id: row.id,
    created_by: row.created_by_user_id,
    owner_id: row.created_by_user_id,
    assignee_ids: list(row.assigned_to_user_id),
    contact_ids: list(row.contact_id),
    company_ids: list(row.company_id),
    notes: row.note,
    completed: row.done,
    // A span needs no duration: the gateway shows it. Every second row so stores none.
    duration_minutes: row.id % 2 && row.duration === spanOf(row) ? null : row.duration,
    // Finer than the wire shows, but in the order of the wire.
    created_at: row.created_at.replace('Z', '250Z'),
    updated_at: row.updated_at.replace('Z', '250Z')
  }
  const kept = [
    'subject',
    'public_description',
    'location',
    'location_geocoded',
    'start_date',
    'start_time',
    'end_date',
    'end_time',
    'deal_id',
    'activity_type'
  ]
  return { ...renamed, ...Object.fromEntries(kept.map((name) => [name, row[name]])) }
}

function spanOf({ start_time: start, end_time: end }) {
  if (start === null) return undefined
  const minutes = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5))
  return minutes(end) - minutes(start)
}

/** Return a record that no query of the dialect may ever find. */
export function hiddenRecords(organizationId) {
  const hidden = { kind: 'activity', tenant_id: organizationId, subject: 'call', created_by: 45 }
  return [
    { ...hidden, id: COUNT + 1, deleted_at: '2025-04-01T00:00:00Z' },
    { ...hidden, id: COUNT + 2, created_by: 99, owner_id: 99, visibility: 'private' }
  ]
}

/** Return rows with several assignees, contacts and companies: a stock table holds the first. */
export function manyValued(organizationId) {
  const base = { kind: 'activity', tenant_id: organizationId, created_by: 45 }
  return [
    {
      ...base,
      id: COUNT + 3,
      subject: 'many',
      assignee_ids: [901, 902],
      contact_ids: [911, 912],
      company_ids: [921, 922]
    },
    {
      ...base,
      id: COUNT + 4,
      subject: 'many',
      assignee_ids: [902],
      contact_ids: [912],
      company_ids: [922]
    }
  ]
}
