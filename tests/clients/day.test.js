// A day's work of a program that speaks to AchieveApex through `@feathersjs/rest-client`: both
// transports, each with both kinds of credential, every one in an organization of its own.

import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'

import { activities, config, CREDENTIALS, disconnect, TRANSPORTS, USER } from './connections.js'
import { DAY, EXPANSIONS, FINDS, KEYS, SAMPLE } from './samples.js'

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const MISSING = 999_999
const limits = { timeout: 30_000 }

for (const transport of TRANSPORTS) {
  for (const [header, short] of [
    ['x-api-key', 'key'],
    ['Authorization: Bearer', 'bearer']
  ]) {
    const organization = config.organizations[`day_${transport}_${short}`]
    describe(`${transport} with ${header}`, () => work(transport, header, organization))
  }
}
after(disconnect)

function work(transport, header, organization) {
  const headers = CREDENTIALS[header](organization)
  const service = activities(transport, headers)
  let first

  it('starts with an empty list', limits, async () => {
    assert.deepEqual(await service.find(), { total: 0, limit: 10, skip: 0, data: [] })
  })

  it('creates the sample of the page', limits, async () => {
    first = await service.create({ ...SAMPLE, organization_id: organization.id })
    assert.deepEqual(Object.keys(first), KEYS)
    const { id, created_at: created, updated_at: updated, ...rest } = first
    assert.ok(Number.isInteger(id))
    assert.match(created, STAMP)
    assert.equal(updated, created)
    const set = { organization_id: organization.id, created_by_user_id: USER, ...SAMPLE }
    const unset = { location_geocoded: null, company_id: null, deleted_at: null }
    assert.deepEqual(rest, { ...set, ...unset })
  })

  it('gets it with its people', limits, async () => {
    const record = await service.get(first.id)
    assert.deepEqual(Object.keys(record), [...KEYS, ...EXPANSIONS])
    assert.deepEqual(record.created_by_user, {
      id: 45,
      full_name: 'Jane Smith',
      email: 'jane.smith@example.com'
    })
    assert.deepEqual(record.assigned_to_user, {
      id: 46,
      full_name: 'John Doe',
      email: 'john.doe@example.com'
    })
    assert.deepEqual(record.deal, { id: 789, name: 'Enterprise Solution', stage: 'Proposal' })
    assert.deepEqual(record.contact, {
      id: 456,
      full_name: 'Alex Johnson',
      email: 'alex.johnson@acmecorp.com'
    })
    assert.equal(record.company, null)
  })

  it('lists it joined when the flag says so', limits, async () => {
    const {
      data: [plain]
    } = await service.find()
    assert.deepEqual(Object.keys(plain), KEYS)
    const {
      data: [joined]
    } = await service.find({ query: { fastJoinForActivityList: true } })
    assert.deepEqual(Object.keys(joined), [...KEYS, ...EXPANSIONS])
    assert.deepEqual(joined.created_by_user, { id: 45, full_name: 'Jane Smith' })
    assert.deepEqual(joined.deal, { id: 789, name: 'Enterprise Solution' })
  })

  it('patches some keys and leaves the others', limits, async () => {
    const change = {
      subject: 'Onboarding and Product Overview Call',
      duration: 45,
      end_time: '10:45:00'
    }
    const { updated_at: updated, ...patched } = await service.patch(first.id, change)
    const { updated_at: before, ...expected } = { ...first, ...change }
    assert.deepEqual(patched, expected)
    assert.ok(updated > before)
    assert.deepEqual(Object.keys(await service.get(first.id)).slice(0, 22), KEYS)
  })

  it('sets keys to null and back', limits, async () => {
    const nulls = {
      note: null,
      deal_id: null,
      contact_id: null,
      location: null,
      start_time: null,
      end_time: null
    }
    const cleared = await service.patch(first.id, nulls)
    for (const key of Object.keys(nulls)) assert.equal(cleared[key], null, key)
    assert.equal((await service.get(first.id)).deal, null)
    const { note, deal_id: deal } = SAMPLE
    const set = await service.patch(first.id, { note, deal_id: deal, contact_id: undefined })
    assert.deepEqual([set.note, set.deal_id, set.contact_id], [note, deal, null])
  })

  it('marks it done', limits, async () => {
    assert.equal((await service.patch(first.id, { done: true })).done, true)
  })

  it('marks many done at once', limits, async () => {
    const second = await service.create({ subject: 'another' })
    const answer = await service.patch(null, { ids: [second.id, MISSING, first.id], done: true })
    assert.deepEqual(answer, { updated: 2, ids: [second.id, first.id] })
    assert.equal((await service.get(second.id)).done, true)
    await service.remove(second.id)
  })

  it('removes it, and then it is gone', limits, async () => {
    const removed = await service.remove(first.id)
    assert.deepEqual(Object.keys(removed), KEYS)
    assert.match(removed.deleted_at, STAMP)
    assert.equal(removed.updated_at, removed.deleted_at)
    for (const call of [
      () => service.get(first.id),
      () => service.patch(first.id, { done: true }),
      () => service.remove(first.id)
    ]) {
      await assert.rejects(call, {
        name: 'NotFound',
        message: `No record found for id '${first.id}'`
      })
    }
    assert.equal((await service.find()).total, 0)
  })

  it('finds by every family of operators', limits, async () => {
    for (const activity of DAY) await service.create(activity)
    for (const [query, subjects] of FINDS) {
      const page = await service.find({ query: { ...query, $sort: { subject: 1 } } })
      assert.deepEqual(
        page.data.map(({ subject }) => subject),
        subjects,
        JSON.stringify(query)
      )
      assert.equal(page.total, subjects.length)
    }
  })

  it('pages through a list in a stable order', limits, async () => {
    for (let made = DAY.length; made < 25; made += 1) await service.create({ subject: 'z more' })
    const query = { organization_id: organization.id, $sort: { subject: -1, start_time: 1 } }
    const seen = []
    for (let skip = 0; skip < 30; skip += 10) {
      const page = await service.find({ query: { ...query, $skip: skip } })
      assert.deepEqual([page.total, page.limit, page.skip], [25, 10, skip])
      seen.push(...page.data.map(({ id }) => id))
    }
    assert.equal(new Set(seen).size, 25)
    const whole = await service.find({ query: { ...query, $limit: 1000 } })
    assert.deepEqual([whole.limit, whole.data.map(({ id }) => id)], [100, seen])
    const none = await service.find({ query: { $limit: 0 } })
    assert.deepEqual(none, { total: 25, limit: 0, skip: 0, data: [] })
  })

  it('selects keys in every method', limits, async () => {
    const query = { $select: ['subject', 'done'] }
    const wanted = ['subject', 'done', 'id']
    const made = await service.create({ subject: 'selected' }, { query })
    const { data } = await service.find({ query: { ...query, $limit: 3 } })
    const others = [
      await service.get(made.id, { query }),
      await service.patch(made.id, { done: true }, { query })
    ]
    for (const record of [made, ...data, ...others]) assert.deepEqual(Object.keys(record), wanted)
    const withDeal = await service.get(made.id, { query: { $select: ['id', 'deal'] } })
    assert.deepEqual(withDeal, { id: made.id, deal: null })
    assert.deepEqual(Object.keys(await service.remove(made.id, { query })), wanted)
  })

  it('reads dates, stamps and texts as they were written', limits, async () => {
    const texts = { subject: ' a+b & c=d % "é" 東京 🎉\n', note: '<b>\\u0000</b>', location: '' }
    const made = await service.create({
      ...texts,
      start_date: '2024-02-29',
      created_at: new Date(0)
    })
    for (const [key, value] of Object.entries(texts)) assert.equal(made[key], value)
    assert.deepEqual([made.start_date, made.start_time], ['2024-02-29', null])
    assert.ok(Date.now() - new Date(made.created_at) < 60_000, 'a stamp of the client is ignored')
    const query = { created_at: new Date(made.created_at), subject: { $in: [texts.subject] } }
    assert.deepEqual((await service.find({ query })).data, [made])
    await service.remove(made.id)
  })

  it('does many things at once on kept connections', limits, async () => {
    const made = await Promise.all(
      Array.from({ length: 24 }, (_, index) =>
        service.create({ subject: `at once ${index}`, duration: index })
      )
    )
    assert.equal(new Set(made.map(({ id }) => id)).size, 24)
    const calls = made.flatMap(({ id }, index) => [
      service.get(id).then((record) => assert.equal(record.subject, `at once ${index}`)),
      service.patch(id, { done: true }).then((record) => assert.equal(record.duration, index)),
      service
        .get(`no ${index}`)
        .then(assert.fail, (error) =>
          assert.equal(error.message, `No record found for id 'no ${index}'`)
        ),
      service
        .find({ query: { id, $select: ['duration'] } })
        .then(({ data }) => assert.deepEqual(data, [{ duration: index, id }]))
    ])
    await Promise.all(calls)
    await Promise.all(made.map(({ id }) => service.remove(id)))
  })
}
