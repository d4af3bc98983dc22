-- The generated tenants: every value is a hash of a row's number, so that two runs make the same.
-- Parameters: tenant_ids, users, companies, contacts, deals and activities (numbers a tenant).
-- Ids are unique across tenants (tenant_id * 10,000,000 + number), which the service does not need
-- but lets the yardstick use plain integer keys. User number 1 reads and writes during the bench
-- and has no part in any record, so private ones are hidden from that user.

CREATE FUNCTION pick(id BIGINT, salt BIGINT, choices BIGINT) RETURNS BIGINT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN mod(hashint8extended(id, salt) & 9007199254740991, choices);

INSERT INTO entities (tenant_id, kind, id, version, fields)
SELECT t, 'user', t * 10000000 + n, 1, jsonb_build_object(
    'first_name', (ARRAY['Ada', 'Ben', 'Chen', 'Dina', 'Emil', 'Farah'])[1 + mod(n, 6)],
    'last_name', 'User ' || n,
    'email', 'user' || n || '@tenant' || t || '.example',
    'country_code', '+65',
    'phone', '8' || (1000000 + n),
    'profile_url', 'https://cdn.example/u/' || n || '.png')
FROM unnest(%(tenant_ids)s::BIGINT[]) AS t, generate_series(1, %(users)s) AS n;

INSERT INTO entities (tenant_id, kind, id, version, fields)
SELECT t, 'company', t * 10000000 + n, 1, jsonb_build_object(
    'name', 'Company ' || n || ' Pte Ltd',
    'email', 'office@company' || n || '.example',
    'phone', '6' || (1000000 + n),
    'country_code', '+65',
    'address', n || ' Robinson Road, Singapore',
    'label', CASE WHEN mod(n, 3) = 0 THEN 'Customer' ELSE 'No label' END,
    'website', 'https://company' || n || '.example')
FROM unnest(%(tenant_ids)s::BIGINT[]) AS t, generate_series(1, %(companies)s) AS n;

INSERT INTO entities (tenant_id, kind, id, version, fields)
SELECT t, 'contact', t * 10000000 + n, 1, jsonb_build_object(
    'name', 'Contact Person ' || n,
    'email', 'person' || n || '@mail.example',
    'phone', '9' || (1000000 + n),
    'country_code', '+232',
    'address', n || ' Orchard Road',
    'label', CASE WHEN mod(n, 5) = 0 THEN 'Lead' ELSE 'No label' END,
    'company_id', t * 10000000 + 1 + pick(t * 10000000 + n, 1, %(companies)s))
FROM unnest(%(tenant_ids)s::BIGINT[]) AS t, generate_series(1, %(contacts)s) AS n;

INSERT INTO entities (tenant_id, kind, id, version, fields)
SELECT t, 'deal', t * 10000000 + n, 1, jsonb_build_object(
    'name', 'Deal ' || n,
    'pipeline_id', t,
    'stage_id', t * 10 + 1 + mod(n, 5),
    'stage', jsonb_build_object(
        'pipeline_id', 0,
        'order', 1 + mod(n, 5),
        'name', (ARRAY['Scheduled', 'Qualified', 'Proposal', 'Won', 'Lost'])[1 + mod(n, 5)],
        'deal_probability', (ARRAY[20, 40, 60, 100, 0])[1 + mod(n, 5)],
        'rotting_days', 30,
        'help_text', 'What to do at this stage',
        'system_generated', false,
        'won_lost_status', (ARRAY['open', 'open', 'open', 'won', 'lost'])[1 + mod(n, 5)]),
    'contact_id', t * 10000000 + 1 + pick(t * 10000000 + n, 2, %(contacts)s),
    'company_id', t * 10000000 + 1 + pick(t * 10000000 + n, 3, %(companies)s),
    'owner_id', t * 10000000 + 2 + pick(t * 10000000 + n, 4, %(users)s - 1),
    'currency_code', 'USD',
    'amount', (n * 100)::TEXT,
    'closing_date', '2021-04-22T00:00:00Z',
    'status', 0,
    'custom_fields', jsonb_build_array(jsonb_build_object(
        'code', 'D-0000008', 'label', 'CF01', 'value', 'v' || mod(n, 10), 'module', '',
        'short_name', 'CF01')),
    'created_at', '2020-04-22T05:16:05.857311Z')
FROM unnest(%(tenant_ids)s::BIGINT[]) AS t, generate_series(1, %(deals)s) AS n;

INSERT INTO activities (
    tenant_id, id, version, subject, activity_type, notes, public_description, location,
    location_geocoded, start_date, start_time, start_at, end_date, end_time, end_at, timezone,
    duration_minutes, completed, assignee_ids, contact_ids, company_ids, deal_id, owner_id,
    created_by, updated_by, visibility, is_availability, is_send_invitation,
    is_send_contacts_invitation, source, source_id, email_sent, consumer_id, scheduled_status,
    batch_id, cron_status, notification_error, created_at, updated_at, deleted_at, subject_folded)
SELECT
    tenant_id, id, 1 + pick(id, 10, 3), subject,
    (ARRAY['call', 'meeting', 'task', 'deadline', 'email', 'lunch'])[1 + pick(id, 11, 6)],
    CASE WHEN pick(id, 12, 10) > 0
        THEN 'Spoke about <b>' || subject || '</b><br>Next step: week ' || mod(n, 52) || '.' END,
    CASE WHEN pick(id, 13, 2) = 0 THEN 'Agenda: introductions, open points, next steps' END,
    CASE WHEN pick(id, 14, 3) > 0 THEN 'Room ' || mod(n, 40) || ', Robinson Road 1' END,
    CASE WHEN pick(id, 15, 5) = 0
        THEN '{"lat":1.2789,"lng":103.8536,"address":"Robinson Road 1, Singapore"}' END,
    start_date, start_time, (start_date + coalesce(start_time, TIME '00:00')) AT TIME ZONE zone,
    end_date, end_time, (end_date + coalesce(end_time, TIME '00:00')) AT TIME ZONE zone,
    zone, CASE WHEN pick(id, 16, 5) = 0 THEN 45 END, pick(id, 17, 3) = 0,
    CASE WHEN pick(id, 18, 2) = 0 THEN ARRAY[person] ELSE ARRAY[person, other_person] END,
    (ARRAY[contact, contact + 1, contact + 2])[1 : 1 + pick(id, 19, 3)],
    (ARRAY[company, company + 1])[1 : 1 + pick(id, 20, 2)],
    CASE WHEN pick(id, 21, 5) > 0 THEN base + 1 + pick(id, 22, %(deals)s) END,
    person, other_person, person,
    CASE WHEN pick(id, 23, 200) = 0 THEN 'private' WHEN pick(id, 24, 4) = 0 THEN 'public'
        ELSE 'team' END,
    CASE pick(id, 25, 3) WHEN 0 THEN true WHEN 1 THEN false END,
    pick(id, 26, 2) = 0, pick(id, 27, 2) = 0, 'WEB', mod(n, 7)::TEXT, 'NEW', '', '', '', 'NEW', '',
    created_at, updated_at, CASE WHEN pick(id, 28, 25) = 0 THEN updated_at END, lower(subject)
FROM (
    SELECT
        t AS tenant_id, base, base + n AS id, n,
        (ARRAY['Call about', 'Meet for', 'Demo of', 'Follow up on'])[1 + pick(base + n, 30, 4)]
            || (ARRAY[' the renewal ', ' the offer ', ' the invoice ', ' the contract '])
                [1 + pick(base + n, 31, 4)] || n AS subject,
        DATE '2020-01-01' + pick(base + n, 32, 400)::INTEGER AS start_date,
        CASE WHEN pick(base + n, 33, 10) > 0
            THEN TIME '08:00' + pick(base + n, 34, 40) * INTERVAL '15 minutes' END AS start_time,
        DATE '2020-01-01' + pick(base + n, 32, 400)::INTEGER AS end_date,
        CASE WHEN pick(base + n, 33, 10) > 0
            THEN TIME '08:00' + (pick(base + n, 34, 40) + 1 + pick(base + n, 35, 8))
                * INTERVAL '15 minutes' END AS end_time,
        (ARRAY['Asia/Singapore', 'Asia/Kolkata'])[1 + pick(base + n, 36, 2)] AS zone,
        base + 2 + pick(base + n, 37, %(users)s / 2) AS person,
        base + 2 + %(users)s / 2 + pick(base + n, 38, %(users)s / 2 - 2) AS other_person,
        base + 1 + pick(base + n, 39, %(contacts)s - 2) AS contact,
        base + 1 + pick(base + n, 40, %(companies)s - 1) AS company,
        TIMESTAMPTZ '2020-01-01 00:00Z' + n * (INTERVAL '360 days' / %(activities)s) AS created_at,
        TIMESTAMPTZ '2020-01-01 00:00Z' + n * (INTERVAL '360 days' / %(activities)s)
            + pick(base + n, 41, 2592000000000) * INTERVAL '1 microsecond' AS updated_at
    FROM (
        SELECT t, t * 10000000 AS base, n
        FROM unnest(%(tenant_ids)s::BIGINT[]) AS t, generate_series(1, %(activities)s) AS n
    ) AS numbered
) AS drafted;

UPDATE activity_numbers SET last_id = tenant_id * 10000000 + %(activities)s
WHERE tenant_id = ANY (%(tenant_ids)s);

UPDATE activity_counters SET shared = counted.shared, private = counted.private, version = 1
FROM (
    SELECT tenant_id, count(*) FILTER (WHERE visibility <> 'private') AS shared,
        count(*) FILTER (WHERE visibility = 'private') AS private
    FROM activities WHERE deleted_at IS NULL GROUP BY tenant_id
) AS counted
WHERE activity_counters.tenant_id = counted.tenant_id AND activity_counters.slot = 0;

DROP FUNCTION pick;
