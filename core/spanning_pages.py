"""Pages of lists that span several tenants: one statement for each tenant, merged here."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from core.activities import Activities, References
from core.domain.errors import InvalidQuery
from core.domain.model import Activity, Found, Principal
from core.domain.query import EFFECTIVE_DURATION, LIST_FIELDS, SHOWN_END, ActivityQuery, SortKey
from core.domain.schedule import effective_duration, shown_end_at

MAX_ROWS = 1000
"""The last row of a merged list: each tenant is read up to there."""


class SpanningPage(NamedTuple):
    """One page of several tenants' activities, and the matches in all of them."""

    found: list[Found]
    total: int


def spanning_page(
    activities: Activities,
    principal: Principal,
    query: ActivityQuery,
    *,
    tenant_ids: Sequence[int],
    expand: References,
) -> SpanningPage:
    """Return a page of several tenants, in one order; ties end with the tenant.

    Raises: as `Activities.page`; InvalidQuery, beyond row `MAX_ROWS`.
    """
    last_row = query.offset + query.limit
    if last_row > MAX_ROWS:
        raise InvalidQuery("query", f"reaches row {MAX_ROWS} at most where tenants are mixed")
    head = query._replace(limit=last_row, offset=0)
    pages = [
        activities.page(principal, head, tenant_id=tenant_id, expand=expand)
        for tenant_id in tenant_ids
    ]
    found = [
        Found(activity, page.related, page.tenant) for page in pages for activity in page.activities
    ]
    descending = query.order[-1].descending
    for key in reversed((*query.order, SortKey("tenant_id", descending))):
        found.sort(key=partial(_sortable, key.field), reverse=key.descending)
    return SpanningPage(found[query.offset : last_row], sum(page.total for page in pages))


def _sortable(field: str, found: Found) -> tuple[bool, Any]:
    """Return what orders as PostgreSQL does: nulls are greater than every value."""
    value = _value(found.activity, field)
    return (value is None, 0 if value is None else value)


def _value(activity: Activity, field: str) -> Any:
    if field == EFFECTIVE_DURATION:
        return effective_duration(activity)
    if field == SHOWN_END:
        return shown_end_at(activity)
    value = getattr(activity, field)
    if field in LIST_FIELDS:
        return value[0] if value else None
    return value
