"""Requests' queries: two transports merged, split into page, order, selection and conditions.

Feathers clients put the query into the URL; the vendor's page shows it as the JSON body of a GET.
Both are read, and may not contradict each other (docs/dialects/achieveapex.md A91, A92).
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from adapters.achieveapex import filters, grammar
from adapters.achieveapex.body_values import shortest
from adapters.achieveapex.errors import FeathersError
from adapters.achieveapex.fields import EXPANSIONS, FIELD_BY_NAME, UNKNOWN_KEY
from adapters.achieveapex.query_values import parse_value
from adapters.http import MAX_CACHED_QUERY_BYTES, WireSettings
from adapters.json_bodies import parse_json
from core.domain.errors import InvalidQuery
from core.domain.model import MAX_ID
from core.domain.query import ActivityQuery, SortKey

MAX_CONDITIONS = 1000  # Keys of all objects of one query.
MAX_VALUES = 5000  # Elements of all its arrays.
MAX_DIGITS = 20
MAX_PROBLEMS = 20
UNKNOWN_BODY_KEY = f"{UNKNOWN_KEY}; the body holds the one key query"
FAST_JOIN = "fastJoinForActivityList"
LEADING_INTEGER = re.compile(r"\s*([+-]?)0*(\d+)", re.ASCII)


class ListRequest(NamedTuple):
    """What the query of a request says.

    `tenant_ids` are the organizations that it names (none: those of the credential), `select` the
    keys of the answer in their order (None: all of them).
    """

    query: ActivityQuery
    tenant_ids: tuple[int, ...]
    select: tuple[str, ...] | None
    fast_join: bool

    @property
    def tenant_id(self) -> int | None:
        """The organization, if one alone is named."""
        return self.tenant_ids[0] if len(self.tenant_ids) == 1 else None

    @property
    def names_expansion(self) -> bool:
        """Whether `$select` names a related entity."""
        return self.select is not None and not set(EXPANSIONS).isdisjoint(self.select)


def to_query(query_string: bytes, body: bytes, settings: WireSettings) -> ListRequest:
    """Return the query of a URL, and of the JSON body of a GET (b"" without one).

    Raises: InvalidQuery or InvalidActivity with every name and reason; FeathersError where
    Feathers has a sentence of its own.
    """
    if len(query_string) + len(body) <= MAX_CACHED_QUERY_BYTES:
        return _parse_cached(query_string, body, settings)
    return _parse(query_string, body, settings)


def _parse(query_string: bytes, body: bytes, settings: WireSettings) -> ListRequest:
    query = _merged(_body_query(body), grammar.parse(query_string))
    _check_size(query)
    limit = _whole(query.pop("$limit", None), settings.apex_default_limit)
    offset = _whole(query.pop("$skip", None), 0)
    order = _order(query.pop("$sort", None))
    selected = _select(query.pop("$select", None))
    fast_join = _flag(query.pop(FAST_JOIN, None))
    tenant_ids = _tenant_ids(query)
    for key in query:
        if key.startswith("$") and key not in ("$or", "$and"):
            raise FeathersError(400, f"Invalid filter value {key}")
    where = filters.to_condition(query, logical=("$or", "$and"))
    if filters.comparisons(where) > filters.MAX_COMPARISONS:
        raise InvalidQuery("query", f"takes at most {filters.MAX_COMPARISONS} comparisons")
    page = ActivityQuery(where, order, min(limit, settings.apex_max_limit), offset)
    return ListRequest(page, tenant_ids, selected, fast_join)


_parse_cached = lru_cache(maxsize=1024)(_parse)


def _body_query(body: bytes) -> dict[str, Any]:
    """Return `query` of a GET's body, which may hold nothing else: a filter is never ignored."""
    if not body.strip():
        return {}
    value = parse_json(body)
    if not isinstance(value, dict):
        raise InvalidQuery("body", "must be object")
    unknown = [(f"body/{name}", UNKNOWN_BODY_KEY) for name in value if name != "query"]
    if unknown:
        raise InvalidQuery(*unknown[0], *unknown[1:MAX_PROBLEMS])
    query = value.get("query", {})
    if not isinstance(query, dict):
        raise InvalidQuery("body/query", "must be object")
    return query


def _merged(in_body: dict[str, Any], in_url: dict[str, Any]) -> dict[str, Any]:
    """Return both queries as one. Raises: InvalidQuery, for a key with two different values."""
    for name in in_body.keys() & in_url.keys():
        if _url_form(in_body[name]) != _url_form(in_url[name]):
            raise InvalidQuery(name, "has another value in the URL than in the body")
    return in_body | in_url


def _url_form(value: Any) -> Any:
    """Return a value as a URL carries it: texts, and lists of one as their element."""
    if isinstance(value, dict):
        return [(name, _url_form(inner)) for name, inner in sorted(value.items())]
    if isinstance(value, list):
        return _url_form(value[0]) if len(value) == 1 else [_url_form(inner) for inner in value]
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return str(shortest(value))


def _check_size(query: dict[str, Any]) -> None:
    """Refuse what would make a statement out of all proportion, before looking closer."""
    conditions = values = 0
    waiting: list[Any] = [query]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            conditions += len(node)
            waiting.extend(node.values())
        elif isinstance(node, list):
            values += len(node)
            waiting.extend(node)
        if conditions > MAX_CONDITIONS or values > MAX_VALUES:
            limits = f"{MAX_CONDITIONS} conditions and {MAX_VALUES} values"
            raise InvalidQuery("query", f"takes at most {limits}")


def _whole(value: Any, default: int) -> int:
    """Return a page number as Feathers' parseInt reads it; what it cannot read is the default.

    Source: docs/dialects/achieveapex.md A59.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return default if value < 0 else int(min(value, MAX_ID))
    match = LEADING_INTEGER.match(value) if isinstance(value, str) else None
    if match is None:
        return default
    sign, digits = match.groups()
    number = min(int(digits[:MAX_DIGITS]), MAX_ID)  # All beyond is beyond reach either way.
    return default if sign == "-" and number else number


def _order(value: Any) -> tuple[SortKey, ...]:
    """Return a total order: the keys as they stand, then the id in the last one's direction."""
    if value is None:
        return (SortKey("id"),)
    if not isinstance(value, dict):
        raise InvalidQuery("$sort", "must be object")
    order: list[SortKey] = []
    for name, direction in value.items():
        field = filters.column(name, "$sort/")
        if field.kind == "json":
            raise InvalidQuery(f"$sort/{name}", "must be a column that has an order")
        if isinstance(direction, bool) or direction not in (1, -1, "1", "-1"):
            raise InvalidQuery(f"$sort/{name}", "must be equal to one of the values 1 and -1")
        order.append(SortKey(field.compared, descending=int(direction) < 0))
        if name == "id":
            return tuple(order)
    return (*order, SortKey("id", descending=bool(order) and order[-1].descending))


def _select(value: Any) -> tuple[str, ...] | None:
    """Return the selected keys, each once; `id` is always among them, last unless named."""
    if value is None:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        raise InvalidQuery("$select", "must be array")
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise InvalidQuery(f"$select/{place}", "must be string")
        if name not in FIELD_BY_NAME and name not in EXPANSIONS:
            raise InvalidQuery(f"$select/{name}", UNKNOWN_KEY)
    return tuple(dict.fromkeys([*names, "id"]))


def _flag(value: Any) -> bool:
    if value is None or value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        raise InvalidQuery(FAST_JOIN, "must be boolean")
    return value


def _tenant_ids(query: dict[str, Any]) -> tuple[int, ...]:
    """Return the organizations that are named outright or by `$in`; other operators are filters.

    One alone is taken out of the query, as the statement names it anyway.
    """
    value = query.get("organization_id")
    if isinstance(value, dict) and value.keys() == {"$in"}:
        members = value["$in"] if isinstance(value["$in"], list) else [value["$in"]]
    elif value is None or isinstance(value, dict | list):
        return ()
    else:
        members = [value]
    tenant_ids = tuple(dict.fromkeys(_tenant_id(member) for member in members))
    if len(tenant_ids) == 1:
        del query["organization_id"]
    return tenant_ids


def _tenant_id(value: Any) -> int:
    field = FIELD_BY_NAME["organization_id"]
    tenant_id: int | None = parse_value(field, value, field.wire)
    if tenant_id is None:
        raise InvalidQuery(field.wire, "must be integer")
    return tenant_id
