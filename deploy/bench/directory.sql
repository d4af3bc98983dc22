-- The generated directories: every value is a hash of a row's number, so that two runs make the same.
-- Parameters: tenant_ids, users, companies, contacts and deals (numbers a tenant).
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
