"""The first tables: tenants, activities, the directory, credentials and what guards them.

Every key leads with the tenant. Trigrams serve searches in subjects, btree_gin lets an index on
lists of ids lead with the tenant too. Vacuum runs early on activities: lists are counted from
indexes, and an index alone answers only while the visibility map is fresh.
"""

import secrets

from alembic import op
from sqlalchemy import text

revision = "0001"
down_revision = None

STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS btree_gin",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    """
    CREATE TABLE tenants (
        tenant_id BIGINT NOT NULL,
        name TEXT NOT NULL,
        timezone TEXT DEFAULT 'UTC' NOT NULL,
        deskera_timezone TEXT DEFAULT 'UTC' NOT NULL,
        directory_version BIGINT DEFAULT '1' NOT NULL,
        PRIMARY KEY (tenant_id)
    )
    """,
    """
    CREATE TABLE activities (
        tenant_id BIGINT NOT NULL,
        id BIGINT NOT NULL,
        version BIGINT NOT NULL,
        subject TEXT COLLATE "C" NOT NULL,
        activity_type VARCHAR(50) COLLATE "C",
        notes TEXT COLLATE "C",
        public_description TEXT COLLATE "C",
        location TEXT COLLATE "C",
        location_geocoded TEXT COLLATE "C",
        start_date DATE,
        start_time TIME WITHOUT TIME ZONE,
        start_at TIMESTAMP WITH TIME ZONE,
        end_date DATE,
        end_time TIME WITHOUT TIME ZONE,
        end_at TIMESTAMP WITH TIME ZONE,
        timezone TEXT NOT NULL,
        duration_minutes BIGINT,
        completed BOOLEAN NOT NULL,
        assignee_ids BIGINT[] NOT NULL,
        contact_ids BIGINT[] NOT NULL,
        company_ids BIGINT[] NOT NULL,
        deal_id BIGINT,
        owner_id BIGINT NOT NULL,
        created_by BIGINT NOT NULL,
        updated_by BIGINT NOT NULL,
        visibility VARCHAR(10) COLLATE "C" NOT NULL,
        is_availability BOOLEAN,
        is_send_invitation BOOLEAN NOT NULL,
        is_send_contacts_invitation BOOLEAN NOT NULL,
        source TEXT COLLATE "C" NOT NULL,
        source_id TEXT COLLATE "C" NOT NULL,
        email_sent TEXT NOT NULL,
        consumer_id TEXT NOT NULL,
        scheduled_status TEXT NOT NULL,
        batch_id TEXT NOT NULL,
        cron_status TEXT NOT NULL,
        notification_error TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
        deleted_at TIMESTAMP WITH TIME ZONE,
        subject_folded TEXT COLLATE "C" NOT NULL,
        PRIMARY KEY (tenant_id, id)
    )
    """,
    """
    CREATE INDEX activities_by_completed
        ON activities (tenant_id, completed, id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_by_created
        ON activities (tenant_id, created_at, id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_by_creator
        ON activities (tenant_id, created_by, id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_by_deal
        ON activities (tenant_id, deal_id, id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_by_end
        ON activities (tenant_id, end_at, id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_by_start
        ON activities (tenant_id, start_at, id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_by_start_clock
        ON activities (tenant_id, start_date, start_time, id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_by_subject
        ON activities (tenant_id, left(subject, 128), id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_by_type
        ON activities (tenant_id, activity_type, id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_by_updated
        ON activities (tenant_id, updated_at, id)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_having_assignee_ids
        ON activities USING gin (tenant_id, assignee_ids)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_having_company_ids
        ON activities USING gin (tenant_id, company_ids)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_having_contact_ids
        ON activities USING gin (tenant_id, contact_ids)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_like_subject
        ON activities USING gin (tenant_id, subject_folded gin_trgm_ops)
        WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX activities_private_assignee
        ON activities USING gin (tenant_id, assignee_ids)
        WHERE deleted_at IS NULL AND visibility = 'private'
    """,
    """
    CREATE INDEX activities_private_creator
        ON activities (tenant_id, created_by)
        WHERE deleted_at IS NULL AND visibility = 'private'
    """,
    """
    CREATE INDEX activities_private_owner
        ON activities (tenant_id, owner_id)
        WHERE deleted_at IS NULL AND visibility = 'private'
    """,
    """
    CREATE TABLE activity_numbers (
        tenant_id BIGINT NOT NULL,
        last_id BIGINT DEFAULT '0' NOT NULL,
        PRIMARY KEY (tenant_id)
    )
    """,
    """
    CREATE TABLE activity_counters (
        tenant_id BIGINT NOT NULL,
        slot SMALLINT NOT NULL,
        version BIGINT DEFAULT '0' NOT NULL,
        shared BIGINT DEFAULT '0' NOT NULL,
        private BIGINT DEFAULT '0' NOT NULL,
        PRIMARY KEY (tenant_id, slot)
    )
     WITH (fillfactor = 25)
    """,
    """
    CREATE TABLE entities (
        tenant_id BIGINT NOT NULL,
        kind VARCHAR(10) COLLATE "C" NOT NULL,
        id BIGINT NOT NULL,
        version BIGINT NOT NULL,
        fields JSONB NOT NULL,
        is_removed BOOLEAN DEFAULT 'false' NOT NULL,
        PRIMARY KEY (tenant_id, kind, id)
    )
    """,
    "CREATE INDEX entities_by_version ON entities (tenant_id, version)",
    """
    CREATE TABLE credentials (
        tenant_id BIGINT NOT NULL,
        id TEXT NOT NULL,
        digest BYTEA NOT NULL,
        user_id BIGINT NOT NULL,
        scopes TEXT[] NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE,
        revoked_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (tenant_id, id)
    )
    """,
    """
    CREATE TABLE idempotency_keys (
        tenant_id BIGINT NOT NULL,
        user_id BIGINT NOT NULL,
        dialect TEXT NOT NULL,
        key TEXT NOT NULL,
        digest BYTEA NOT NULL,
        answer BYTEA,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (tenant_id, user_id, dialect, key)
    )
    """,
    "CREATE INDEX idempotency_keys_by_age ON idempotency_keys (tenant_id, created_at)",
    """
    CREATE TABLE database_identity (
        identity TEXT NOT NULL,
        PRIMARY KEY (identity)
    )
    """,
    """
    ALTER TABLE activities SET (
        autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_insert_scale_factor = 0.01,
        autovacuum_analyze_scale_factor = 0.02
    )
    """,
)


def upgrade() -> None:
    """Make the tables, and give this database a name of its own."""
    for statement in STATEMENTS:
        op.execute(statement)
    op.get_bind().execute(
        text("INSERT INTO database_identity (identity) VALUES (:identity)"),
        {"identity": secrets.token_hex(8)},
    )


def downgrade() -> None:
    """There is nothing before the first tables; dropping data is left to hands."""
    raise RuntimeError("the first migration cannot be taken back")
