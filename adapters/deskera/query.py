"""The parameters of a list: filter, order and page, read from the query string."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from adapters.deskera.filters import to_condition
from core.domain.errors import InvalidQuery
from core.domain.query import SHOWN_END, ActivityQuery, SortKey

DEFAULT_PAGE_SIZE = 10
MAX_PAGE_SIZE = 500
MAX_ROWS = 2**53
"""No page may end beyond this row."""

NUMBER = re.compile(r"\d{1,16}", re.ASCII)
DEFAULT_SORT = "updated_at"
DIRECTIONS = {"ASC": False, "DESC": True}
PARAMETERS = frozenset({"page", "pageSize", "sortBy", "sortDir", "query", ""})
SORT_FIELDS = {
    "id": "id",
    "name": "subject",
    "activity_type": "activity_type",
    "visibility_type": "visibility",
    "is_availability": "is_availability",
    "is_send_invitation": "is_send_invitation",
    "is_send_contacts_invitation": "is_send_contacts_invitation",
    "linked_to": "deal_id",
    "owner_id": "owner_id",
    "is_status": "completed",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "created_by": "created_by",
    "updated_by": "updated_by",
    "source": "source",
    "source_id": "source_id",
    "user_timezone": "timezone",
    "start": "start_at",
    "end": SHOWN_END,
}


class ListRequest(NamedTuple):
    """What the query string of a list says; `ignored` are the parameters that mean nothing."""

    query: ActivityQuery
    ignored: tuple[str, ...]

    @property
    def page_number(self) -> int:
        """The number of the page, as `page` counts them."""
        return self.query.offset // self.query.limit + 1


@lru_cache(maxsize=512)
def to_query(query_string: bytes) -> ListRequest:
    """Return what a query string requests; unknown parameters are ignored.

    `page` counts from 1 and `pageSize` goes from 1 to 500: a silent clamp would break a client's
    arithmetic. An empty parameter counts as absent, and of a repeated one the first is taken, as
    Go does. Cached, as clients request the same pages again and again.
    Raises: InvalidQuery, naming the parameter.
    Source: docs/dialects/deskera.md D71 to D76.
    """
    sent = _parameters(query_string)
    given = {name: value for name, value in sent.items() if value}
    page = _number(given, "page", default=1, most=MAX_ROWS)
    size = _number(given, "pageSize", default=DEFAULT_PAGE_SIZE, most=MAX_PAGE_SIZE)
    if page * size > MAX_ROWS:
        raise InvalidQuery("page", f"is beyond row {MAX_ROWS}")
    where = to_condition(given.get("query", ""))
    query = ActivityQuery(where, _order(given), size, (page - 1) * size)
    return ListRequest(query, tuple(name for name in sent if name not in PARAMETERS))


def _parameters(query_string: bytes) -> dict[str, str]:
    """Return the parameters, decoded once; the first of a name wins."""
    given: dict[str, str] = {}
    for pair in query_string.split(b"&"):
        raw_name, _, raw_value = pair.partition(b"=")
        name = _decoded(raw_name, parameter="query string")
        value = _decoded(raw_value, parameter=name)
        if name not in given:
            given[name] = value
    return given


def _decoded(raw: bytes, *, parameter: str) -> str:
    try:
        text = unquote_plus(raw.decode("utf-8"), encoding="utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidQuery(parameter, "is not UTF-8") from error
    if "\0" in text:
        raise InvalidQuery(parameter, "holds a NUL character")
    return text


def _number(given: dict[str, str], name: str, *, default: int, most: int) -> int:
    written = given.get(name)
    if written is None:
        return default
    if not NUMBER.fullmatch(written) or not 1 <= int(written) <= most:
        raise InvalidQuery(name, f"must be a whole number from 1 to {most}")
    return int(written)


def _order(given: dict[str, str]) -> tuple[SortKey, ...]:
    """Return the order; where it leaves a tie, `id` decides in the same direction."""
    field = SORT_FIELDS.get(given.get("sortBy", DEFAULT_SORT))
    if field is None:
        raise InvalidQuery("sortBy", f"must be one of {', '.join(SORT_FIELDS)}")
    descending = DIRECTIONS.get(given.get("sortDir", "DESC").upper())
    if descending is None:
        raise InvalidQuery("sortDir", "must be ASC or DESC")
    by_id = SortKey("id", descending)
    return (by_id,) if field == "id" else (SortKey(field, descending), by_id)
