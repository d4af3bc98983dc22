"""The Feathers query language: both transports, every operator, every refusal."""

import json
import time as clock
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.achieveapex.errors import FeathersError
from adapters.achieveapex.fields import EXPANSIONS, FIELD_BY_NAME
from adapters.achieveapex.filters import MAX_COMPARISONS
from adapters.achieveapex.query import MAX_CONDITIONS, MAX_VALUES, Asked, to_query
from adapters.achieveapex.values import BEYOND
from adapters.http import WireSettings
from core.conditions import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Compare,
    ContainsText,
    HasMember,
    IsNull,
    OneOf,
    SortKey,
)
from core.errors import CoreError, InvalidActivity, InvalidInput, InvalidQuery
from core.model import MAX_ID

SETTINGS = WireSettings()
BY_ID = (SortKey("id"),)


def from_url(query_string: str) -> Asked:
    """Read a query from a URL."""
    return to_query(query_string.encode(), b"", SETTINGS)


def from_body(query: Any) -> Asked:
    """Read a query from the body of a GET."""
    return to_query(b"", json.dumps({"query": query}).encode(), SETTINGS)


def same(left: Any, right: Any) -> bool:
    """Compare conditions by their written form, which tells 1 from true."""
    return repr(left) == repr(right)


def utc(*parts: int) -> datetime:
    """Return an instant in UTC."""
    return datetime(*parts, tzinfo=UTC)


# What @feathersjs/rest-client sends, line by line (reference 6).
CLIENT_LINES = [
    ("", EVERYTHING, {}),
    (
        "organization_id=27&%24limit=10&%24skip=0&%24sort%5Bstart_date%5D=1"
        "&%24sort%5Bstart_time%5D=-1&done=false",
        Compare("completed", "=", False),
        {
            "tenant_id": 27,
            "order": (
                SortKey("start_date"),
                SortKey("start_time", descending=True),
                SortKey("id", descending=True),
            ),
        },
    ),
    ("id%5B%24in%5D%5B0%5D=1&id%5B%24in%5D%5B1%5D=2", OneOf("id", (1, 2)), {}),
    (
        "%24or%5B0%5D%5Bsubject%5D=a%20b&%24or%5B1%5D%5Bduration%5D%5B%24gte%5D=18"
        "&%24or%5B1%5D%5Bduration%5D%5B%24lt%5D=25",
        AnyOf(
            (
                ContainsText("a b"),
                AllOf(
                    (
                        Compare("effective_duration", ">=", 18),
                        Compare("effective_duration", "<", 25),
                    )
                ),
            )
        ),
        {},
    ),
    (
        "%24select%5B0%5D=subject&%24select%5B1%5D=done",
        EVERYTHING,
        {"select": ("subject", "done", "id")},
    ),
    ("deal_id=", IsNull("deal_id"), {}),
    (
        "created_at%5B%24gt%5D=1970-01-01T00%3A00%3A00.000Z",
        Compare("created_at", ">", datetime(1970, 1, 1, microsecond=999, tzinfo=UTC)),
        {},
    ),
    ("fastJoinForActivityList=true", EVERYTHING, {"fast_join": True}),
]


@pytest.mark.parametrize(("line", "where", "rest"), CLIENT_LINES)
def test_client_lines_are_understood(line: str, where: Any, rest: dict):
    asked = from_url(line)
    assert same(asked.query.where, where)
    assert asked.query.order == rest.get("order", BY_ID)
    expected = (rest.get("tenant_id"), rest.get("select"), rest.get("fast_join", False))
    assert (asked.tenant_id, asked.select, asked.fast_join) == expected


def test_vendors_body_is_understood():
    asked = from_body(
        {
            "organization_id": 27,
            "$limit": 10,
            "$skip": 0,
            "$sort": {"start_date": 1, "start_time": 1},
            "assigned_to_user_id": 46,
            "done": False,
        }
    )
    who, done = HasMember("assignee_ids", (46,)), Compare("completed", "=", False)
    assert same(asked.query.where, AllOf((who, done)))
    assert asked.query.order == (SortKey("start_date"), SortKey("start_time"), SortKey("id"))


def test_url_key_wins_over_body():
    body = b'{"query": {"done": true, "$limit": 3, "deal_id": 5}, "other": 1}'
    asked = to_query(b"done=false&$limit=4", body, SETTINGS)
    assert asked.query.limit == 4
    parts = (Compare("completed", "=", False), Compare("deal_id", "=", 5))
    assert same(asked.query.where, AllOf(parts))


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"query": null}', b'{"query": {}}'])
def test_empty_bodies_ask_for_everything(body: bytes):
    assert to_query(b"", body, SETTINGS).query.where is EVERYTHING


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b'{"query": []}', b'{"query": {"id": NaN}}'])
def test_unreadable_bodies_are_refused(body: bytes):
    with pytest.raises(InvalidInput):
        to_query(b"", body, SETTINGS)


# Ajv's form: the path of what is wrong, and the reason.
INVALID = [
    ("nope=1", "nope", "must NOT have additional properties"),
    ("deal=1", "deal", "must NOT have additional properties"),
    ("constructor=1", "constructor", "must NOT have additional properties"),
    ("$or[0][nope]=1", "$or/0/nope", "must NOT have additional properties"),
    ("subject[x]=1", "subject/x", "must NOT have additional properties"),
    ("deal_id=1.5", "deal_id", "must be integer"),
    ("deal_id=abc", "deal_id", "must be integer"),
    ("id=", "id", "must be integer"),
    ("id=null", "id", "must be integer"),
    ("deal_id[$in][]=1&deal_id[$in][]=x", "deal_id/$in/1", "must be integer"),
    ("duration=abc", "duration", "must be number"),
    ("duration=nan", "duration", "must be number"),
    ("done=1", "done", "must be boolean"),
    ("done=", "done", "must be boolean"),
    ("done=TRUE", "done", "must be boolean"),
    ("start_date=yesterday", "start_date", 'must match format "date"'),
    ("start_date=2025-04-15T00:00:00Z", "start_date", 'must match format "date"'),
    ("start_time=10", "start_time", 'must match format "time"'),
    ("created_at=now", "created_at", 'must match format "date-time"'),
    ("created_at=2025-W01-1", "created_at", 'must match format "date-time"'),
    ("created_at=0001-01-01T00:00:00%2B10:00", "created_at", 'must match format "date-time"'),
    ("a=1&a[$gt]=2", "a", "must NOT be both a value and an object"),
    ("subject[]=a&subject[]=b", "subject", "must NOT be an array"),
    ("subject=a&subject=b", "subject", "must NOT be an array"),
    ("deal_id[$like]=5", "deal_id/$like", "must be used on a column of text"),
    ("subject[$like]=a%5C", "subject/$like", "must NOT end with a single backslash"),
    ("location_geocoded=x", "location_geocoded", "must be null"),
    ("location_geocoded[$lt]=x", "location_geocoded/$lt", "must be null"),
    ("$or=1", "$or", "must be array"),
    ("$and[x]=1", "$and", "must be array"),
    ("$or[0]=1", "$or/0", "must be object"),
    ("$sort=id", "$sort", "must be object"),
    ("$sort[id]=2", "$sort/id", "must be equal to one of"),
    ("$sort[id]=asc", "$sort/id", "must be equal to one of"),
    ("$sort[nope]=1", "$sort/nope", "must NOT have additional properties"),
    ("$sort[deal]=1", "$sort/deal", "must NOT have additional properties"),
    ("$sort[location_geocoded]=1", "$sort/location_geocoded", "must be a column"),
    ("$select=a,b", "$select/a,b", "must NOT have additional properties"),
    ("$select[x]=id", "$select", "must be array"),
    ("fastJoinForActivityList=1", "fastJoinForActivityList", "must be boolean"),
    ("organization_id=acme", "organization_id", "must be integer"),
]


@pytest.mark.parametrize(("line", "path", "reason"), INVALID)
def test_wrong_queries_name_the_place(line: str, path: str, reason: str):
    with pytest.raises(InvalidQuery) as caught:
        from_url(line)
    [(field, why)] = caught.value.problems
    assert field == path
    assert why.startswith(reason)


@pytest.mark.parametrize(
    "query",
    [
        {"deal_id": True},
        {"done": 1},
        {"subject": 5},
        {"subject": {"$in": [["a"]]}},
        {"deal_id": {"$in": {"$gt": 1}}},
        {"start_date": 20250415},
        {"created_at": {"$gt": 0}},
        {"$select": [1]},
        {"$select": {"a": 1}},
        {"$sort": {"id": True}},
        {"$or": {"a": 1}},
        {"fastJoinForActivityList": "yes"},
    ],
)
def test_wrong_types_are_refused(query: dict):
    with pytest.raises(InvalidQuery):
        from_body(query)


@pytest.mark.parametrize(
    ("query", "message", "data"),
    [
        ({"$foo": "1"}, "Invalid filter value $foo", None),
        ({"$eq": 1}, "Invalid filter value $eq", None),
        ({"duration": {"$foo": "1"}}, "Invalid query parameter $foo", {"$foo": "1"}),
        ({"duration": {"$or": []}}, "Invalid query parameter $or", {"$or": []}),
        ({"$or": [{"$foo": 1}]}, "Invalid query parameter $foo", {"$foo": 1}),
        ({"$or": [{"$and": []}]}, "Invalid query parameter $and", {"$and": []}),
        ({"$and": [{"$and": []}]}, "Invalid query parameter $and", {"$and": []}),
        ({"$and": [{"$limit": 1}]}, "Invalid query parameter $limit", {"$limit": 1}),
        (
            {"$and": [{"$or": [{"id": {"$exists": True}}]}]},
            "Invalid query parameter $exists",
            {"$exists": True},
        ),
    ],
)
def test_unknown_operators_in_feathers_words(query: dict, message: str, data: Any):
    with pytest.raises(FeathersError) as caught:
        from_body(query)
    assert (caught.value.code, caught.value.message, caught.value.data) == (400, message, data)


@pytest.mark.parametrize(
    ("sent", "limit"),
    [
        (None, 10),
        (0, 0),
        (5, 5),
        ("5", 5),
        ("5.9", 5),
        (5.9, 5),
        (" 7x", 7),
        (1000, 100),
        ("9" * 5000, 100),
        (1e300, 100),
        (-1, 10),
        ("-1", 10),
        ("-0", 0),
        ("abc", 10),
        ("", 10),
        (True, 10),
        ([5], 10),
        ({"a": 1}, 10),
    ],
)
def test_limit_is_lenient(sent: Any, limit: int):
    assert from_body({"$limit": sent}).query.limit == limit


@pytest.mark.parametrize(
    ("sent", "skip"),
    [(None, 0), ("25", 25), (-3, 0), ("x", 0), ("9" * 40, MAX_ID), (1e300, MAX_ID)],
)
def test_skip_is_lenient(sent: Any, skip: int):
    assert from_body({"$skip": sent}).query.offset == skip


def test_limits_come_from_settings():
    settings = WireSettings(apex_default_limit=20, apex_max_limit=50)
    assert to_query(b"", b"", settings).query.limit == 20
    assert to_query(b"$limit=60", b"", settings).query.limit == 50


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("$sort[subject]=-1", (SortKey("subject", True), SortKey("id", True))),
        ("$sort[id]=-1&$sort[subject]=1", (SortKey("id", True),)),
        ("$sort[duration]=1", (SortKey("effective_duration"), SortKey("id"))),
        ("$sort[contact_id]=1", (SortKey("contact_ids"), SortKey("id"))),
    ],
)
def test_orders_end_with_id(line: str, order: tuple):
    assert from_url(line).query.order == order


@pytest.mark.parametrize("column", [name for name in FIELD_BY_NAME if name != "location_geocoded"])
def test_every_column_sorts(column: str):
    assert from_body({"$sort": {column: -1}}).query.order[0].descending


@pytest.mark.parametrize(
    ("select", "keys"),
    [
        (None, None),
        ("subject", ("subject", "id")),
        (["id", "done"], ("id", "done")),
        (["done", "done"], ("done", "id")),
        ([], ("id",)),
        (["deal"], ("deal", "id")),
    ],
)
def test_select_adds_id_last(select: Any, keys: Any):
    assert from_body({"$select": select}).select == keys


@pytest.mark.parametrize("name", EXPANSIONS)
def test_named_expansions_are_noticed(name: str):
    assert from_body({"$select": [name]}).names_expansion
    assert not from_body({"$select": ["id"]}).names_expansion


@pytest.mark.parametrize(
    ("flag", "value"), [("true", True), (True, True), ("false", False), (False, False)]
)
def test_fast_join_is_no_column(flag: Any, value: bool):
    asked = from_body({"fastJoinForActivityList": flag})
    assert (asked.fast_join, asked.query.where) == (value, EVERYTHING)


def test_foreign_organization_is_passed_on():
    assert from_url("organization_id=99").tenant_id == 99
    assert from_url("organization_id=9" + "9" * 30).tenant_id == BEYOND


def test_repeated_queries_are_remembered():
    assert from_url("deal_id=5&$limit=3") is from_url("deal_id=5&$limit=3")


def test_thousands_of_ids_are_read():
    asked = from_body({"id": {"$in": list(range(1, MAX_VALUES + 1))}})
    assert len(asked.query.where.values) == MAX_VALUES


def test_thousand_stamps_are_read():
    stamps = [f"2025-03-28T09:30:15.{n:03}Z" for n in range(1000)]
    assert len(from_body({"created_at": {"$in": stamps}}).query.where.parts) == 1000


def nested(levels: int) -> dict:
    """Return a query with so many `$or` in each other."""
    query: dict = {"id": 1}
    for _ in range(levels):
        query = {"$or": [query, {"id": 2}]}
    return query


def test_ten_levels_of_or_are_read():
    assert from_body(nested(10)).query.where is not None


HOSTILE = [
    ("a" + "[b]" * 200 + "=1").encode(),
    ("$or[0]" * 200).encode(),
    b"&".join(b"subject=%d" % n for n in range(10_000)),
    b"&".join(b"$or[%d][id]=1" % n for n in range(1999)),
    b"&".join(b"$or[%d][nope%d]=1" % (n, n) for n in range(900)),
    b"&".join(b"x[%d]=1" % n for n in range(1999)),
]
HOSTILE_QUERIES = [
    nested(40),
    {"$or": [{"id": n} for n in range(MAX_CONDITIONS + 1)]},
    {"id": {"$in": list(range(MAX_VALUES + 1))}},
    {
        "created_at": {
            "$in": [f"2025-03-28T09:{n:02}:{m:02}Z" for n in range(60) for m in range(60)]
        }
    },
    {"duration": {"$nin": list(range(MAX_COMPARISONS + 1))}},
    {"$and": [{"updated_at": {"$nin": [f"2025-03-28T09:00:00.{n:03}Z" for n in range(999)]}}] * 5},
    {f"nope{n}": n for n in range(MAX_CONDITIONS)},
]


@pytest.mark.parametrize(
    ("query_string", "body"),
    [(raw, b"") for raw in HOSTILE]
    + [(b"", json.dumps({"query": query}).encode()) for query in HOSTILE_QUERIES],
)
def test_hostile_queries_are_refused_quickly(query_string: bytes, body: bytes):
    start = clock.process_time()
    with pytest.raises((CoreError, FeathersError)):
        to_query(query_string, body, SETTINGS)
    assert clock.process_time() - start < 0.5


def test_nul_in_a_body_is_refused():
    with pytest.raises(InvalidActivity):
        from_body({"subject": "a\0"})
