"""The statements of pages: text for the driver, made once for each shape of query.

Every statement names the tenant. Each row of a page begins with the state of the tenant.
"""

from core.domain.model import MAX_PAGE_BYTES, TEXTS, Activity, Listed
from core.storage.sql_filters import DIALECT, SEEN

NAMES = ", ".join(f"activities.{name}" for name in Activity._fields)
SEEN_BY_VIEWER = str(SEEN.compile(dialect=DIALECT))
_LISTED_NAMES = ", ".join(f"activities.{name}" for name in Listed._fields)
TENANT_ID = "%(tenant_id)s::BIGINT"

# How many private records the viewer may see, found by index however many others there are.
VISIBLE_PRIVATE = f"""(
    SELECT count(*) FROM activities
    WHERE tenant_id = {TENANT_ID} AND deleted_at IS NULL AND visibility = 'private' AND (
        owner_id = %(user_id)s::BIGINT OR created_by = %(user_id)s::BIGINT
        OR assignee_ids @> ARRAY[%(user_id)s::BIGINT]))"""
_COUNTERS = f"""
    SELECT sum(version)::BIGINT AS version, sum(shared)::BIGINT AS shared,
        sum(private)::BIGINT AS private
    FROM activity_counters WHERE tenant_id = {TENANT_ID}"""
# Counted without reading long texts, which lie outside of their rows.
_BYTES = " + ".join(f"coalesce(octet_length({name}), 0)" for name in TEXTS)


def page_sql(
    where: str,
    order: str,
    *,
    filtered: bool,
    count: bool,
    is_rare: bool = False,
    is_brief: bool = False,
) -> str:
    """Return the statement of a page; it gives one row even when the page is empty.

    A brief one has the columns of `Listed` alone, and no bound in bytes.
    The single row of counters drives a nested loop, which keeps the order of the page. OFFSET 0
    keeps the planner from walking an index of the order until it has met rare matches.
    """
    matching = f"activities.tenant_id = {TENANT_ID} AND {SEEN_BY_VIEWER} AND ({where})"
    total = f"(SELECT count(*) FROM activities WHERE {matching})"
    source = f"activities WHERE {matching}"
    if is_rare:
        source = f"(SELECT {NAMES} FROM {source} OFFSET 0) AS activities"
    names = _LISTED_NAMES if is_brief else NAMES
    rows = f"SELECT {names} FROM {source} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s"
    visible_private = f"CASE WHEN private > 0 THEN {VISIBLE_PRIVATE} ELSE 0 END"
    return f"""
    SELECT {total if count and filtered else "NULL::BIGINT"},
        {visible_private if count else "NULL::BIGINT"},
        counters.shared, counters.private, counters.version, tenants.directory_version, page.*
    FROM tenants CROSS JOIN ({_COUNTERS}) AS counters
    LEFT JOIN LATERAL (
        {rows if is_brief else _within_bound(rows)}
    ) AS page ON true
    WHERE tenants.tenant_id = {TENANT_ID}"""


def deep_sql(where: str, walk: str, order: str) -> str:
    """Return the statement that finds the ids of a deep page in an index, then their rows."""
    rows = f"""
    SELECT {NAMES} FROM activities JOIN (
        SELECT activities.id FROM activities
        WHERE activities.tenant_id = {TENANT_ID} AND {where}
        ORDER BY {walk} LIMIT %(limit)s OFFSET %(offset)s
    ) AS near ON near.id = activities.id
    WHERE activities.tenant_id = {TENANT_ID} ORDER BY {order}"""
    return _within_bound(rows)


def _within_bound(rows: str) -> str:
    """Return a statement that leaves out the rows beyond the bytes that a page may have.

    Before the columns of each row it tells how many rows there were, and the bytes up to it.
    """
    return f"""
    SELECT * FROM (
        SELECT count(*) OVER () AS size, sum({_BYTES}) OVER (ROWS UNBOUNDED PRECEDING) AS bytes, *
        FROM ({rows}) AS listed
    ) AS counted WHERE bytes <= {MAX_PAGE_BYTES}"""
