"""Pages of lists that span several tenants: one statement for each tenant, merged here."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from core.activities import Activities, References
from core.domain.errors import AnswerTooLarge, InvalidQuery, page_too_large
from core.domain.model import MAX_PAGE_BYTES, Activity, Found, Principal
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

    Each tenant is read from its first row to the last row of the page; all that is kept of them
    is at most as large as one answer.
    Raises: as `Activities.page`; InvalidQuery, beyond row `MAX_ROWS`.
    """
    last_row = query.offset + query.limit
    if last_row > MAX_ROWS:
        raise InvalidQuery("query", f"reaches row {MAX_ROWS} at most where tenants are mixed")
    head = query._replace(limit=last_row, offset=0)
    found: list[Found] = []
    total = 0
    for tenant_id in tenant_ids:
        try:
            page = activities.page(principal, head, tenant_id=tenant_id, expand=expand)
        except AnswerTooLarge as error:
            raise _too_large(error.fits, query.offset) from error
        found += [Found(activity, page.related, page.tenant) for activity in page.activities]
        found = _in_order(found, query.order)[:last_row]
        _check_size(found, query.offset)
        total += page.total
    return SpanningPage(found[query.offset :], total)


def _in_order(found: list[Found], order: Sequence[SortKey]) -> list[Found]:
    ordered = found
    for key in reversed((*order, SortKey("tenant_id", order[-1].descending))):
        ordered = sorted(ordered, key=partial(_sortable, key.field), reverse=key.descending)
    return ordered


def _check_size(found: Sequence[Found], offset: int) -> None:
    """Refuse what takes too much memory before all tenants are read. Raises: AnswerTooLarge."""
    size = 0
    for count, (activity, *_) in enumerate(found):
        size += sum(len(value) for value in activity if isinstance(value, str))
        if size > MAX_PAGE_BYTES:
            raise _too_large(count, offset)


def _too_large(fits: int, offset: int) -> AnswerTooLarge:
    reason = f"the rows up to its last one come to more than {MAX_PAGE_BYTES // 2**20} MiB"
    return page_too_large(max(0, fits - offset), reason)


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
