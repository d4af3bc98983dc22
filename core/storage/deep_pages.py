"""How far pages are found: from the last one of the same list, or by the index alone.

A bookmark tells the sort keys of the record at an offset, and the tenant's version that it holds
for: any write to the tenant's activities ends it. Without one a list is walked from its nearer end.
What an index of the order does not tell of a record, whether it is private, is looked up for the
private ones, if these are few, and not for each that is passed over.
"""

from collections.abc import Mapping, Sequence
from threading import Lock
from types import MappingProxyType
from typing import Any, NamedTuple

from cachetools import LRUCache

from core.domain.memory import fits_key
from core.domain.model import Activity, Viewer
from core.domain.query import ActivityQuery, Condition, SortKey
from core.storage.sql_filters import DIALECT, LIVE, SEEN

MAX_BOOKMARKS = 500
MAX_STEP = 10_000
"""Records between a bookmark and a page that is looked for from there."""
MAX_HIDDEN = 100_000
"""Private records whose ids a statement keeps in memory: 3 MiB of them."""
HIDDEN_COST = 10
"""Records that are passed over in the time that one private one is looked up in."""
TYPES = {"updated_at": "TIMESTAMPTZ", "created_at": "TIMESTAMPTZ", "id": "BIGINT"}
"""The fields whose orders have bookmarks: none of them is ever null."""


_SEEN = str(SEEN.compile(dialect=DIALECT))
_LIVE = str(LIVE.compile(dialect=DIALECT))
_NOT_HIDDEN = f"""{_LIVE} AND activities.id NOT IN (
    SELECT hidden.id FROM activities AS hidden
    WHERE hidden.tenant_id = %(tenant_id)s::BIGINT AND hidden.deleted_at IS NULL
        AND hidden.visibility = 'private' AND hidden.owner_id <> %(user_id)s::BIGINT
        AND hidden.created_by <> %(user_id)s::BIGINT
        AND NOT hidden.assignee_ids @> ARRAY[%(user_id)s::BIGINT])"""


class Bookmark(NamedTuple):
    """The record at an offset of a list, by its sort keys."""

    offset: int
    position: tuple[Any, ...]
    version: int


class Start(NamedTuple):
    """Where to begin to look for a page, and how many records to pass over.

    `is_last` says that the list is walked from its last record.
    """

    offset: int
    condition: str = "true"
    parameters: Mapping[str, Any] = MappingProxyType({})
    is_last: bool = False


def nearer_end(query: ActivityQuery, total: int) -> Start:
    """Return the end of a list that is nearer to a page of it."""
    from_last = max(0, total - query.offset - query.limit)
    return Start(from_last, is_last=True) if from_last < query.offset else Start(query.offset)


def seen_from(start: Start, hidden: int, *, filtered: bool) -> str:
    """Return the condition that tells the records which are seen, of whom so many are not."""
    if not hidden:
        return _LIVE
    if filtered or hidden > MAX_HIDDEN or HIDDEN_COST * hidden > start.offset:
        return _SEEN
    return _NOT_HIDDEN


class PageBookmarks:
    """The last deep page of each of some lists."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = Lock()
        self._bookmarks: LRUCache[tuple[int, Viewer, Condition, tuple[SortKey, ...]], Bookmark] = (
            LRUCache(MAX_BOOKMARKS)
        )

    def find(
        self, tenant_id: int, viewer: Viewer, query: ActivityQuery, *, version: int
    ) -> Start | None:
        """Return where a page is to be looked for, if the list has a bookmark shortly before."""
        if not _can_have_bookmark(query):
            return None
        with self._lock:
            bookmark = self._bookmarks.get((tenant_id, viewer, query.where, query.order))
        if bookmark is None or bookmark.version != version:
            return None
        step = query.offset - bookmark.offset
        if not 0 <= step <= MAX_STEP:
            return None
        values = {f"position_{number}": value for number, value in enumerate(bookmark.position)}
        return Start(step, _from_position(query.order), values)

    def keep(
        self,
        tenant_id: int,
        viewer: Viewer,
        query: ActivityQuery,
        page: Sequence[Activity],
        *,
        version: int,
    ) -> None:
        """Keep the first record of a page as the bookmark of its list."""
        if page and _can_have_bookmark(query):
            position = tuple(getattr(page[0], key.field) for key in query.order)
            key = (tenant_id, viewer, query.where, query.order)
            with self._lock:
                self._bookmarks[key] = Bookmark(query.offset, position, version)


def _can_have_bookmark(query: ActivityQuery) -> bool:
    """Return whether a list is ordered by fields without null, all in one direction."""
    directions = {key.descending for key in query.order}
    fields = {key.field for key in query.order}
    return len(directions) == 1 and fields <= TYPES.keys() and fits_key(query.where)


def _from_position(order: tuple[SortKey, ...]) -> str:
    """Return the condition that a row is at a position or after it, as an index can serve it."""
    columns = ", ".join(f"activities.{key.field}" for key in order)
    values = ", ".join(
        f"%(position_{number})s::{TYPES[key.field]}" for number, key in enumerate(order)
    )
    return f"({columns}) {'<=' if order[0].descending else '>='} ({values})"
