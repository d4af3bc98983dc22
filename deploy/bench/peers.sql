-- The same records as each peer would keep them: the yardstick in plain tables with link tables,
-- FeathersJS in one table of its wire's columns. Neither peer has a rule for private records, so
-- they are left out; both peers are so spared a condition that the service has to check.

CREATE SCHEMA usual;

CREATE TABLE usual.tenants AS SELECT tenant_id AS id, timezone, deskera_timezone FROM tenants;
ALTER TABLE usual.tenants ADD PRIMARY KEY (id);

CREATE TABLE usual.users AS
SELECT id, tenant_id, fields->>'first_name' AS first_name, fields->>'last_name' AS last_name,
    fields->>'email' AS email, fields->>'country_code' AS country_code,
    fields->>'phone' AS phone, fields->>'profile_url' AS profile_url
FROM entities WHERE kind = 'user';
ALTER TABLE usual.users ADD PRIMARY KEY (id);

CREATE TABLE usual.companies AS
SELECT id, tenant_id, fields->>'name' AS name, fields->>'email' AS email,
    fields->>'phone' AS phone, fields->>'country_code' AS country_code,
    fields->>'address' AS address, coalesce(fields->>'label', '') AS label,
    coalesce(fields->>'logo', '') AS logo,
    fields->>'website' AS website
FROM entities WHERE kind = 'company';
ALTER TABLE usual.companies ADD PRIMARY KEY (id);

CREATE TABLE usual.contacts AS
SELECT id, tenant_id, fields->>'name' AS name, fields->>'email' AS email,
    fields->>'phone' AS phone, fields->>'country_code' AS country_code,
    fields->>'address' AS address, coalesce(fields->>'label', '') AS label,
    coalesce(fields->>'logo', '') AS logo,
    (fields->>'company_id')::BIGINT AS company_id
FROM entities WHERE kind = 'contact';
ALTER TABLE usual.contacts ADD PRIMARY KEY (id);

CREATE TABLE usual.deals AS
SELECT id, tenant_id, fields->>'name' AS name, (fields->>'pipeline_id')::BIGINT AS pipeline_id,
    (fields->>'stage_id')::BIGINT AS stage_id, fields->'stage' AS stage,
    (fields->>'contact_id')::BIGINT AS contact_id, (fields->>'company_id')::BIGINT AS company_id,
    (fields->>'owner_id')::BIGINT AS owner_id, fields->>'currency_code' AS currency_code,
    fields->>'amount' AS amount, fields->>'closing_date' AS closing_date,
    (fields->>'status')::INTEGER AS status, coalesce(fields->>'reason', '') AS reason,
    fields->'custom_fields' AS custom_fields, fields->>'created_at' AS created_at
FROM entities WHERE kind = 'deal';
ALTER TABLE usual.deals ADD PRIMARY KEY (id);

CREATE TABLE usual.activities AS
SELECT id, tenant_id, subject, activity_type, notes, public_description, location,
    location_geocoded::JSONB AS location_geocoded, start_date, start_time, start_at, end_date,
    end_time, end_at, timezone, duration_minutes, completed, deal_id, owner_id, created_by,
    updated_by, visibility, is_availability, is_send_invitation, is_send_contacts_invitation,
    source, source_id, email_sent, consumer_id, scheduled_status, batch_id, cron_status,
    notification_error, created_at, updated_at, deleted_at
FROM activities WHERE visibility <> 'private';
ALTER TABLE usual.activities ADD PRIMARY KEY (id);
CREATE INDEX ON usual.activities (tenant_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE TABLE usual.activity_assignees AS
SELECT activities.id AS activity_id, user_id, position
FROM activities, unnest(assignee_ids) WITH ORDINALITY AS link (user_id, position);
ALTER TABLE usual.activity_assignees ADD PRIMARY KEY (activity_id, user_id);

CREATE TABLE usual.activity_contacts AS
SELECT activities.id AS activity_id, contact_id, position
FROM activities, unnest(contact_ids) WITH ORDINALITY AS link (contact_id, position);
ALTER TABLE usual.activity_contacts ADD PRIMARY KEY (activity_id, contact_id);

CREATE TABLE usual.activity_companies AS
SELECT activities.id AS activity_id, company_id, position
FROM activities, unnest(company_ids) WITH ORDINALITY AS link (company_id, position);
ALTER TABLE usual.activity_companies ADD PRIMARY KEY (activity_id, company_id);

CREATE SCHEMA feathers;

CREATE TABLE feathers.users AS
SELECT id::INTEGER AS id, first_name || ' ' || last_name AS full_name, email FROM usual.users;
ALTER TABLE feathers.users ADD PRIMARY KEY (id);

CREATE TABLE feathers.contacts AS
SELECT id::INTEGER AS id, name AS full_name, email FROM usual.contacts;
ALTER TABLE feathers.contacts ADD PRIMARY KEY (id);

CREATE TABLE feathers.companies AS
SELECT id::INTEGER AS id, name, website FROM usual.companies;
ALTER TABLE feathers.companies ADD PRIMARY KEY (id);

CREATE TABLE feathers.deals AS
SELECT id::INTEGER AS id, name, stage->>'name' AS stage FROM usual.deals;
ALTER TABLE feathers.deals ADD PRIMARY KEY (id);

CREATE TABLE feathers.activities AS
SELECT id::INTEGER AS id, tenant_id::INTEGER AS organization_id,
    created_by::INTEGER AS created_by_user_id, assignee_ids[1]::INTEGER AS assigned_to_user_id,
    subject, notes AS note, public_description, location,
    location_geocoded::JSONB AS location_geocoded, start_date, start_time, end_date, end_time,
    coalesce(duration_minutes, CASE WHEN start_time IS NOT NULL
        THEN extract(epoch FROM end_at - start_at) / 60 END)::INTEGER AS duration,
    deal_id::INTEGER AS deal_id, contact_ids[1]::INTEGER AS contact_id,
    company_ids[1]::INTEGER AS company_id, activity_type, completed AS done, created_at,
    updated_at, deleted_at
FROM activities WHERE visibility <> 'private';
ALTER TABLE feathers.activities ADD PRIMARY KEY (id);
CREATE INDEX ON feathers.activities (organization_id, updated_at DESC, id DESC)
    WHERE deleted_at IS NULL;
