-- A part of the generated activities, those with the numbers from `first` to `last` of each tenant: several
-- sessions insert a part each. Parameters: those of `directory.sql`, activities (a tenant), first, last and
-- clocks_zone, the zone of all tenants' wall clocks.

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
    start_date, start_time, (start_date + coalesce(start_time, TIME '00:00')) AT TIME ZONE %(clocks_zone)s,
    end_date, end_time, (end_date + coalesce(end_time, TIME '00:00')) AT TIME ZONE %(clocks_zone)s,
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
        FROM unnest(%(tenant_ids)s::BIGINT[]) AS t, generate_series(%(first)s, %(last)s) AS n
    ) AS numbered
) AS drafted;
