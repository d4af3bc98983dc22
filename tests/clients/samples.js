// What a day's work creates, and what it should find; each with its evidence.

import { USER } from './connections.js'

// from_vendor_doc: the body of "Create an Activity", and the keys of its answer in their order.
export const SAMPLE = {
  assigned_to_user_id: 46,
  subject: 'Onboarding Call',
  note: 'Initial onboarding for new client',
  public_description: 'Welcome to our service',
  location: 'Zoom Meeting',
  start_date: '2025-05-01',
  start_time: '10:00:00',
  end_date: '2025-05-01',
  end_time: '10:30:00',
  duration: 30,
  deal_id: 789,
  contact_id: 456,
  activity_type: 'call',
  done: false
}
export const KEYS = [
  'id',
  'organization_id',
  'created_by_user_id',
  'assigned_to_user_id',
  'subject',
  'note',
  'public_description',
  'location',
  'location_geocoded',
  'start_date',
  'start_time',
  'end_date',
  'end_time',
  'duration',
  'deal_id',
  'contact_id',
  'company_id',
  'activity_type',
  'done',
  'created_at',
  'updated_at',
  'deleted_at'
]
export const EXPANSIONS = ['created_by_user', 'assigned_to_user', 'deal', 'contact', 'company']

/** Every family of operators over the day's activities: the query, and the subjects it finds. */
export const FINDS = [
  // from_vendor_doc: the parameters of "List Activities".
  [{ assigned_to_user_id: 46, done: false }, ['a call', 'b demo']],
  [{ created_by_user_id: USER, activity_type: 'task' }, ['c task', 'd task']],
  [{ deal_id: 790 }, ['b demo']],
  [{ contact_id: 456 }, ['a call']],
  [{ company_id: 345 }, ['c task']],
  [{ start_date: { $gte: '2025-04-02', $lte: '2025-04-03' } }, ['b demo', 'c task']],
  [{ subject: 'TASK' }, ['c task', 'd task']],
  [{ done: true }, ['d task']],
  // from_stock_feathers: the operators of the adapters, and of the SQL adapter.
  [{ subject: { $in: ['a call', 'b demo'] } }, ['a call', 'b demo']],
  [{ subject: { $nin: ['a call', 'b demo'] } }, ['c task', 'd task']],
  [{ duration: { $lt: 45 } }, ['a call']],
  [{ duration: { $lte: 45 } }, ['a call', 'c task']],
  [{ duration: { $gt: 45 } }, ['b demo']],
  [{ duration: { $gte: 45, $ne: 90 } }, ['c task']],
  [{ deal_id: { $ne: 789 } }, ['b demo']],
  [{ deal_id: null }, ['c task', 'd task']],
  [{ deal_id: { $ne: null } }, ['a call', 'b demo']],
  [{ subject: { $like: '_ task' } }, ['c task', 'd task']],
  [{ subject: { $notlike: '% task' } }, ['a call', 'b demo']],
  [{ subject: { $ilike: 'A%' } }, ['a call']],
  [{ $or: [{ deal_id: 789 }, { duration: { $gte: 90, $lt: 100 } }] }, ['a call', 'b demo']],
  [{ $and: [{ activity_type: 'task' }, { done: false }] }, ['c task']],
  [
    { $and: [{ $or: [{ deal_id: 790 }, { done: true }] }, { assigned_to_user_id: 46 }] },
    ['b demo']
  ],
  [{ created_at: { $gt: new Date(0) } }, ['a call', 'b demo', 'c task', 'd task']],
  [{ created_at: { $gt: new Date(Date.now() + 3_600_000) } }, []],
  // from_stock_feathers: what the client drops before it is sent.
  [{ deal_id: 790, note: undefined, $or: [], subject: {} }, ['b demo']]
]

/** The activities of a day, in the order of their subjects. */
export const DAY = [
  { ...SAMPLE, subject: 'a call', start_date: '2025-04-01', end_date: '2025-04-01' },
  {
    ...SAMPLE,
    subject: 'b demo',
    start_date: '2025-04-02',
    end_date: '2025-04-02',
    duration: 90,
    deal_id: 790,
    contact_id: 457,
    activity_type: 'meeting'
  },
  {
    subject: 'c task',
    activity_type: 'task',
    start_date: '2025-04-03',
    duration: 45,
    company_id: 345
  },
  { subject: 'd task', activity_type: 'task', done: true }
]
