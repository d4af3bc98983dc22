"""The statements that read activities, and how their rows become `Activity`.

A statement is text for the driver, made once for each shape of query. Every statement names the
tenant.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Text

from core.domain.errors import page_too_large
from core.domain.model import MAX_PAGE_BYTES, Activity, Versions, Viewer
from core.domain.query import EVERYTHING, ActivityQuery, Condition
from core.storage.database import Database
from core.storage.deep_pages import PageBookmarks, nearer_end, seen_from
from core.storage.sql_filters import DIALECT, SEEN, sql_parts
from core.storage.tables import ACTIVITY_COLUMNS

DEEP_OFFSET = 1000
"""From here on a page is fetched by ids first and counted from the nearer end."""

MAX_CACHED_LENGTH = 4096
"""Characters of a condition whose statement is cached."""

LIST_POSITIONS = [
    Activity._fields.index(name) for name in ("assignee_ids", "contact_ids", "company_ids")
]
_NAMES = ", ".join(f"activities.{name}" for name in Activity._fields)
_SEEN = str(SEEN.compile(dialect=DIALECT))
_TENANT = "%(tenant_id)s::BIGINT"

# How many private records the viewer may see, found by index however many others there are.
_VISIBLE_PRIVATE = f"""(
    SELECT count(*) FROM activities
    WHERE tenant_id = {_TENANT} AND deleted_at IS NULL AND visibility = 'private' AND (
        owner_id = %(user_id)s::BIGINT OR created_by = %(user_id)s::BIGINT
        OR assignee_ids @> ARRAY[%(user_id)s::BIGINT]))"""
_COUNTERS = f"""
    SELECT sum(version)::BIGINT AS version, sum(shared)::BIGINT AS shared,
        sum(private)::BIGINT AS private
    FROM activity_counters WHERE tenant_id = {_TENANT}"""
_STATE = 6  # Columns of a page's row that tell the state of the tenant.
_HEADER = _STATE + 2  # Those and what is told of the page, before the activity's own columns.
# What the columns of unbounded text come to: counted without reading long ones, which lie outside
# of their rows.
_BYTES = " + ".join(
    f"coalesce(octet_length({column.name}), 0)"
    for column in ACTIVITY_COLUMNS
    if isinstance(column.type, Text) and column.name != "timezone"
)
_BY_ID = f"""
    SELECT (SELECT sum(version)::BIGINT FROM activity_counters WHERE tenant_id = {_TENANT}),
        tenants.directory_version, {_NAMES}
    FROM activities JOIN tenants ON tenants.tenant_id = activities.tenant_id
    WHERE activities.tenant_id = {_TENANT} AND activities.id = %(activity_id)s::BIGINT
        AND {_SEEN}"""


class Rows(NamedTuple):
    """One page of rows, and the state of the tenant in the same snapshot.

    `total` and `visible_total` are None where they would have had to be counted and were not;
    `shared` is the number of live records that are not private.
    `version` grows with every committed write to the tenant's activities, `directory_version`
    with every change of its directory.
    """

    activities: list[Activity]
    total: int | None
    visible_total: int | None
    shared: int
    version: int
    directory_version: int


def activity_from_row(row: Sequence[Any]) -> Activity:
    """Return a row, in the order of `Activity`'s fields, as an activity."""
    values = list(row)
    for index in LIST_POSITIONS:
        values[index] = tuple(values[index])
    return Activity._make(values)


def _versioned(row: Sequence[Any]) -> tuple[Versions, Activity]:
    return Versions(row[0] or 0, row[1]), activity_from_row(row[2:])


def _viewer_parameters(tenant_id: int, viewer: Viewer) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "user_id": viewer.user_id,
        "sees_all": viewer.sees_all,
    }


class ActivityReader:
    """Reads of activities, each one statement; nothing here begins a transaction to write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bookmarks = PageBookmarks()

    def find(
        self, tenant_id: int, activity_id: int, viewer: Viewer
    ) -> tuple[Versions, Activity] | None:
        """Return one activity that the viewer may see, with the tenant's versions, or None."""
        parameters = {**_viewer_parameters(tenant_id, viewer), "activity_id": activity_id}
        found = self._database.read(_BY_ID, parameters)
        return _versioned(found[0]) if found else None

    def find_in_tenants(
        self, tenant_ids: Sequence[int], activity_id: int, viewer: Viewer, where: Condition
    ) -> list[tuple[Versions, Activity]]:
        """Return what `find` does for one id in several tenants, filtered by a condition.

        No more than two: nobody needs to know which others there are.
        """
        parts = sql_parts(where, ())
        sql = f"{_BY_ID} AND ({parts.where})"
        found: list[tuple[Versions, Activity]] = []
        for tenant_id in tenant_ids:
            parameters = {
                **_viewer_parameters(tenant_id, viewer),
                **parts.parameters,
                "activity_id": activity_id,
            }
            rows = self._database.read(sql, parameters, generic_plan=False)
            found += map(_versioned, rows)
            if len(found) > 1:
                break
        return found

    def page(
        self,
        tenant_id: int,
        viewer: Viewer,
        query: ActivityQuery,
        *,
        count: bool,
        is_rare: bool = False,
    ) -> Rows:
        """Return one page and the totals, all of one snapshot.

        `count` asks for what no counter holds: the matches of a filter, and the private records
        that the viewer may see. Deep pages count anyway, and take a second statement.
        `is_rare` says that few records match: they are found by the filter and then sorted.
        Raises: Unavailable; InvalidQuery, naming `limit`, for a page of too many bytes.
        """
        if query.offset >= DEEP_OFFSET:
            return self._deep_page(tenant_id, viewer, query)
        parts = sql_parts(query.where, query.order)
        parameters = {
            **_viewer_parameters(tenant_id, viewer),
            **parts.parameters,
            "limit": query.limit,
            "offset": query.offset,
        }
        unfiltered = query.where == EVERYTHING
        page_sql = _cached_page_sql if len(parts.where) <= MAX_CACHED_LENGTH else _page_sql
        sql = page_sql(
            parts.where, parts.order, filtered=not unfiltered, count=count, is_rare=is_rare
        )
        found = self._database.read(sql, parameters, generic_plan=unfiltered)
        return _to_rows(found, viewer, query)

    def count_visible_private(self, tenant_id: int, viewer: Viewer) -> tuple[int, int]:
        """Return the activities' version, and how many private ones the viewer may see."""
        found = self._database.read(_COUNT_VISIBLE_PRIVATE, _viewer_parameters(tenant_id, viewer))
        return (found[0][0] or 0, found[0][1]) if found else (0, 0)

    def _deep_page(self, tenant_id: int, viewer: Viewer, query: ActivityQuery) -> Rows:
        """Count first, then walk the index from whichever place is nearest, fetching ids only.

        That is the last deep page of the same list, or else one of the two ends.
        """
        parts = sql_parts(query.where, query.order)
        filtered = query.where != EVERYTHING
        parameters = {**_viewer_parameters(tenant_id, viewer), **parts.parameters}
        with self._database.transaction(isolation_level="REPEATABLE READ") as connection:
            counted = connection.exec_driver_sql(
                _page_sql(parts.where, parts.order, filtered=filtered, count=True),
                {**parameters, "limit": 0, "offset": 0},
            ).all()
            head = _to_rows(counted, viewer, query)
            total = head.total or 0
            size = max(0, min(query.limit, total - query.offset))
            if size == 0:
                return head
            start = self._bookmarks.find(tenant_id, viewer, query, version=head.version)
            start = start or nearer_end(query, total)
            walk = parts.reverse_order if start.is_last else parts.order
            seen = seen_from(start, _hidden(counted[0], head), filtered=filtered)
            found = connection.exec_driver_sql(
                _deep_sql(f"{seen} AND ({parts.where}) AND {start.condition}", walk, parts.order),
                {**parameters, **start.parameters, "limit": size, "offset": start.offset},
            )
            activities = _to_activities(found.all(), header=2)
        self._bookmarks.keep(tenant_id, viewer, query, activities, version=head.version)
        return head._replace(activities=activities)


SELECT_VERSIONS = b"""
    SELECT (SELECT sum(version)::BIGINT FROM activity_counters WHERE tenant_id = $1::BIGINT),
        directory_version
    FROM tenants WHERE tenant_id = $1::BIGINT"""
"""The versions of a tenant, as libpq itself takes a statement."""


_COUNT_VISIBLE_PRIVATE = f"""
    SELECT sum(version)::BIGINT, {_VISIBLE_PRIVATE}
    FROM activity_counters WHERE tenant_id = {_TENANT}"""


def _page_sql(where: str, order: str, *, filtered: bool, count: bool, is_rare: bool = False) -> str:
    """Return the statement of a page; it gives one row even when the page is empty.

    The single row of counters drives a nested loop, which keeps the order of the page. OFFSET 0
    keeps the planner from walking an index of the order until it has met rare matches.
    """
    matching = f"activities.tenant_id = {_TENANT} AND {_SEEN} AND ({where})"
    total = f"(SELECT count(*) FROM activities WHERE {matching})"
    source = f"activities WHERE {matching}"
    if is_rare:
        source = f"(SELECT {_NAMES} FROM {source} OFFSET 0) AS activities"
    rows = f"SELECT {_NAMES} FROM {source} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s"
    visible_private = f"CASE WHEN private > 0 THEN {_VISIBLE_PRIVATE} ELSE 0 END"
    return f"""
    SELECT {total if count and filtered else "NULL::BIGINT"},
        {visible_private if count else "NULL::BIGINT"},
        counters.shared, counters.private, counters.version, tenants.directory_version, page.*
    FROM tenants CROSS JOIN ({_COUNTERS}) AS counters
    LEFT JOIN LATERAL (
        {_within_bound(rows)}
    ) AS page ON true
    WHERE tenants.tenant_id = {_TENANT}"""


_cached_page_sql = lru_cache(maxsize=256)(_page_sql)


def _hidden(counted: Sequence[Any], head: Rows) -> int:
    """Return how many live records the viewer may not see."""
    private: int = counted[3]
    return head.shared + private - (head.visible_total or 0)


def _deep_sql(where: str, walk: str, order: str) -> str:
    """Return the statement that finds the ids of a deep page in an index, then their rows."""
    rows = f"""
    SELECT {_NAMES} FROM activities JOIN (
        SELECT activities.id FROM activities
        WHERE activities.tenant_id = {_TENANT} AND {where}
        ORDER BY {walk} LIMIT %(limit)s OFFSET %(offset)s
    ) AS near ON near.id = activities.id
    WHERE activities.tenant_id = {_TENANT} ORDER BY {order}"""
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


def _to_activities(found: Sequence[Sequence[Any]], *, header: int) -> list[Activity]:
    """Return the activities of rows; the header ends with what `_within_bound` tells.

    Raises: InvalidQuery, if rows were left out.
    """
    if found and found[0][header - 2] not in (None, len(found)):
        raise page_too_large(len(found), f"it gives more than {MAX_PAGE_BYTES // 2**20} MiB")
    return [activity_from_row(row[header:]) for row in found if row[header] is not None]


def _to_rows(found: Sequence[Sequence[Any]], viewer: Viewer, query: ActivityQuery) -> Rows:
    if not found:  # No such tenant.
        return Rows([], 0, 0, 0, 0, 0)
    total, visible_private, shared, private, version, directory_version = found[0][:_STATE]
    if viewer.sees_all or not private:
        visible_private = private
    visible = None if visible_private is None else shared + visible_private
    if query.where == EVERYTHING:
        total = visible
    listed = _to_activities(found, header=_HEADER)
    return Rows(listed, total, visible, shared, version, directory_version)
