"""SQLAlchemy Core tables; every key leads with `tenant_id`.

A tenant can so be placed on a node of its own without a change of code. The one table without a
tenant, `database_identity`, holds a single row that names this database. The columns of
`activities` stand in the order of `model.Activity`, followed by what only searches read.

Text compares by code point (collation "C") wherever the database was made, so that orders and
ranges are the same everywhere and indexes can serve them.
"""

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    and_,
    case,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.domain.model import Activity

metadata = MetaData()
Instant = DateTime(timezone=True)
Ids = ARRAY(BigInteger)

COUNTER_SLOTS = 8
SUBJECT_PREFIX = 128
"""Characters of a subject that its index holds: a B-tree entry is bounded, a subject is not."""


def _text() -> Text:
    return Text(collation="C")


tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("timezone", Text, nullable=False, server_default="UTC"),
    Column("deskera_timezone", Text, nullable=False, server_default="UTC"),
    # Grows with every change of the tenant's directory or of this row; see `entity_store`.
    Column("directory_version", BigInteger, nullable=False, server_default="1"),
)

activities = Table(
    "activities",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("subject", _text(), nullable=False),
    Column("activity_type", String(50, collation="C")),
    Column("notes", _text()),
    Column("public_description", _text()),
    Column("location", _text()),
    Column("location_geocoded", _text()),
    Column("start_date", Date),
    Column("start_time", Time),
    Column("start_at", Instant),
    Column("end_date", Date),
    Column("end_time", Time),
    Column("end_at", Instant),
    Column("timezone", Text, nullable=False),
    Column("duration_minutes", BigInteger),
    Column("completed", Boolean, nullable=False),
    Column("assignee_ids", Ids, nullable=False),
    Column("contact_ids", Ids, nullable=False),
    Column("company_ids", Ids, nullable=False),
    Column("deal_id", BigInteger),
    Column("owner_id", BigInteger, nullable=False),
    Column("created_by", BigInteger, nullable=False),
    Column("updated_by", BigInteger, nullable=False),
    Column("visibility", String(10, collation="C"), nullable=False),
    Column("is_availability", Boolean),
    Column("is_send_invitation", Boolean, nullable=False),
    Column("is_send_contacts_invitation", Boolean, nullable=False),
    Column("source", _text(), nullable=False),
    Column("source_id", _text(), nullable=False),
    Column("email_sent", Text, nullable=False),
    Column("consumer_id", Text, nullable=False),
    Column("scheduled_status", Text, nullable=False),
    Column("batch_id", Text, nullable=False),
    Column("cron_status", Text, nullable=False),
    Column("notification_error", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    # The subject in lower case as Python has it, so that searches do not depend on the locale
    # that the database was made with.
    Column("subject_folded", _text(), nullable=False),
)

ACTIVITY_COLUMNS = tuple(activities.c[name] for name in Activity._fields)

_live = activities.c.deleted_at.is_(None)
_live_private = _live & (activities.c.visibility == text("'private'"))


def shown_end() -> ColumnElement[datetime]:
    """Return the instant of an end as it is shown: without a time it never precedes the start."""
    moved = and_(activities.c.end_time.is_(None), activities.c.start_at > activities.c.end_at)
    return case((moved, activities.c.start_at), else_=activities.c.end_at)


def _sort_index(name: str, *columns: str) -> Index:
    """Make an index that gives live activities in the order of these columns, then of id."""
    parts = [activities.c[column] for column in ("tenant_id", *columns, "id")]
    return Index(f"activities_by_{name}", *parts, postgresql_where=_live)


def _member_index(column: str) -> Index:
    """Make an index that finds live activities by an element of a list of ids."""
    return Index(
        f"activities_having_{column}",
        activities.c.tenant_id,
        activities.c[column],
        postgresql_using="gin",
        postgresql_where=_live,
    )


_sort_index("updated", "updated_at")
_sort_index("created", "created_at")
_sort_index("start", "start_at")
Index(
    "activities_by_end",
    activities.c.tenant_id,
    shown_end(),
    activities.c.id,
    postgresql_where=_live,
)
_sort_index("start_clock", "start_date", "start_time")
_sort_index("type", "activity_type")
_sort_index("completed", "completed")
_sort_index("deal", "deal_id")
_sort_index("creator", "created_by")
_member_index("assignee_ids")
_member_index("contact_ids")
_member_index("company_ids")
Index(
    "activities_by_subject",
    activities.c.tenant_id,
    func.left(activities.c.subject, text(str(SUBJECT_PREFIX))),
    activities.c.id,
    postgresql_where=_live,
)
Index(
    "activities_like_subject",
    activities.c.tenant_id,
    activities.c.subject_folded,
    postgresql_using="gin",
    postgresql_ops={"subject_folded": "gin_trgm_ops"},
    postgresql_where=_live,
)
# Which private activities a viewer may see is counted from these, whatever the size of the rest.
Index(
    "activities_private_owner",
    activities.c.tenant_id,
    activities.c.owner_id,
    postgresql_where=_live_private,
)
Index(
    "activities_private_creator",
    activities.c.tenant_id,
    activities.c.created_by,
    postgresql_where=_live_private,
)
Index(
    "activities_private_assignee",
    activities.c.tenant_id,
    activities.c.assignee_ids,
    postgresql_using="gin",
    postgresql_where=_live_private,
)

# The last activity id that a tenant gave out.
activity_numbers = Table(
    "activity_numbers",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("last_id", BigInteger, nullable=False, server_default="0"),
)

# A tenant's counters are the sums over its slots: writers take one slot each, so that they
# seldom wait for one another.
activity_counters = Table(
    "activity_counters",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False, server_default="0"),  # one a writing transaction
    Column("shared", BigInteger, nullable=False, server_default="0"),  # live and not private
    Column("private", BigInteger, nullable=False, server_default="0"),  # live and private
    postgresql_with={"fillfactor": "25"},
)

# Users, companies, contacts and deals. A removed one stays as a tombstone, so that caches that
# hold it learn of the removal.
entities = Table(
    "entities",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(10, collation="C"), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),  # the directory_version that wrote it
    Column("fields", JSONB, nullable=False),
    Column("is_removed", Boolean, nullable=False, server_default="false"),
)
Index("entities_by_version", entities.c.tenant_id, entities.c.version)

credentials = Table(
    "credentials",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the whole key; it is never stored
    Column("user_id", BigInteger, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("name", Text, nullable=False, server_default=""),  # for people
    Column("last_used_at", Instant),  # to the minute
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("token_id", _text(), primary_key=True),  # the `jti` of a JWT
    Column("revoked_at", Instant, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("dialect", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("answer", LargeBinary),
    Column("created_at", Instant, nullable=False),
)
Index("idempotency_keys_by_age", idempotency_keys.c.tenant_id, idempotency_keys.c.created_at)

# Imports that run in a process of their own; see `import_jobs`.
import_jobs = Table(
    "import_jobs",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("id", _text(), primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("state", _text(), nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_bytes", BigInteger, nullable=False),
    Column("read_bytes", BigInteger, nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("heard_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("report", JSONB),
)
Index(
    "import_jobs_running",
    import_jobs.c.tenant_id,
    unique=True,
    postgresql_where=import_jobs.c.state == text("'running'"),
)

Table(
    "database_identity",
    metadata,
    Column("identity", Text, primary_key=True),
    Column("cache_secret", LargeBinary, nullable=False),  # signs entries of the shared cache
)
