"""Reads of activities, and how their rows become `Activity`.

Every statement names the tenant.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from core.domain.errors import page_too_large
from core.domain.model import MAX_PAGE_BYTES, Activity, Knows, Listed, Versions, Viewer
from core.domain.query import EVERYTHING, ActivityQuery, Condition
from core.storage.brief_reads import BriefReads
from core.storage.database import Database
from core.storage.deep_pages import PageBookmarks, nearer_end, seen_from
from core.storage.page_statements import (
    NAMES,
    SEEN_BY_VIEWER,
    TENANT_ID,
    VISIBLE_PRIVATE,
    deep_sql,
    page_sql,
)
from core.storage.sql_filters import sql_parts

DEEP_OFFSET = 1000
"""From here on a page is fetched by ids first and counted from the nearer end."""

MAX_CACHED_LENGTH = 4096
"""Characters of a condition whose statement is cached."""

LIST_POSITIONS = [
    Activity._fields.index(name) for name in ("assignee_ids", "contact_ids", "company_ids")
]

_STATE = 6  # Columns of a page's row that tell the state of the tenant.
_HEADER = _STATE + 2  # Those and what is told of the page, before the activity's own columns.
_BY_ID = f"""
    SELECT (SELECT sum(version)::BIGINT FROM activity_counters WHERE tenant_id = {TENANT_ID}),
        tenants.directory_version, {NAMES}
    FROM activities JOIN tenants ON tenants.tenant_id = activities.tenant_id
    WHERE activities.tenant_id = {TENANT_ID} AND activities.id = %(activity_id)s::BIGINT
        AND {SEEN_BY_VIEWER}"""


class Rows(NamedTuple):
    """One page of rows, and the state of the tenant in the same snapshot.

    `total` and `visible_total` are None where they would have had to be counted and were not;
    `shared` is the number of live records that are not private.
    `version` grows with every committed write to the tenant's activities, `directory_version`
    with every change of its directory. Where the caller `is_known` to have the activities, there
    are none.
    """

    activities: list[Activity]
    total: int | None
    visible_total: int | None
    shared: int
    version: int
    directory_version: int
    is_known: bool = False


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
        self._brief_reads = BriefReads()

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
        knows: Knows | None = None,
    ) -> Rows:
        """Return one page and the totals, all of one snapshot.

        `count` asks for what no counter holds: the matches of a filter, and the private records
        that the viewer may see. Deep pages count anyway, and take a second statement.
        `is_rare` says that few records match: they are found by the filter and then sorted.
        Where nothing is counted a caller may be asked whether it `knows` the records.
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
        statement = _cached_page_sql if len(parts.where) <= MAX_CACHED_LENGTH else page_sql
        shape = {"filtered": not unfiltered, "count": count, "is_rare": is_rare}
        make_sql = partial(statement, parts.where, parts.order, **shape)
        read = partial(self._database.read, parameters=parameters, generic_plan=unfiltered)
        if knows is not None and not count and self._brief_reads.are_due(tenant_id):
            rows = _to_known_rows(read(make_sql(is_brief=True)), viewer, query, knows)
            self._brief_reads.note(tenant_id, is_known=rows is not None)
            if rows is not None:
                return rows
        return _to_rows(read(make_sql()), viewer, query)

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
                page_sql(parts.where, parts.order, filtered=filtered, count=True),
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
                deep_sql(f"{seen} AND ({parts.where}) AND {start.condition}", walk, parts.order),
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
    SELECT sum(version)::BIGINT, {VISIBLE_PRIVATE}
    FROM activity_counters WHERE tenant_id = {TENANT_ID}"""


_cached_page_sql = lru_cache(maxsize=256)(page_sql)


def _hidden(counted: Sequence[Any], head: Rows) -> int:
    """Return how many live records the viewer may not see."""
    private: int = counted[3]
    return head.shared + private - (head.visible_total or 0)


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
    return _state(found[0], viewer, query)._replace(
        activities=_to_activities(found, header=_HEADER)
    )


def _to_known_rows(
    found: Sequence[Sequence[Any]], viewer: Viewer, query: ActivityQuery, knows: Knows
) -> Rows | None:
    """Return the state of the tenant, if the caller knows the records of brief rows."""
    if not found:
        return None
    rows = _state(found[0], viewer, query)
    listed = [Listed._make(row[_STATE:]) for row in found if row[_STATE] is not None]
    is_known = knows(listed, Versions(rows.version, rows.directory_version))
    return rows._replace(is_known=True) if is_known else None


def _state(row: Sequence[Any], viewer: Viewer, query: ActivityQuery) -> Rows:
    """Return what a page's row tells of its tenant, without activities."""
    total, visible_private, shared, private, version, directory_version = row[:_STATE]
    if viewer.sees_all or not private:
        visible_private = private
    visible = None if visible_private is None else shared + visible_private
    if query.where == EVERYTHING:
        total = visible
    return Rows([], total, visible, shared, version, directory_version)
