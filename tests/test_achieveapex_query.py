"""The Feathers query language: both transports, every operator, every refusal."""

import json
import time as clock
from datetime import UTC, date, datetime, time
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
    NOTHING,
    AllOf,
    AnyOf,
    Compare,
    ContainsText,
    HasMember,
    IsNull,
    Like,
    MemberCompare,
    Not,
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
    """Compare conditions by their written form, because tuples of two kinds can be equal."""
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


FROM_URL = [
    # Equality and null, by type.
    ("deal_id=5", Compare("deal_id", "=", 5)),
    ("deal_id=null", IsNull("deal_id")),
    ("deal_id[$ne]=", Not(IsNull("deal_id"))),
    ("deal_id[$ne]=5", Not(Compare("deal_id", "=", 5))),
    ("duration=25.0", Compare("effective_duration", "=", 25)),
    ("duration[$gt]=25.5", Compare("effective_duration", ">", 25.5)),
    ("duration[$lt]=1e3", Compare("effective_duration", "<", 1000)),
    ("duration=", IsNull("effective_duration")),
    ("done=true", Compare("completed", "=", True)),
    ("note=", Compare("notes", "=", "")),
    ("note=null", Compare("notes", "=", "null")),
    ("activity_type=call", Compare("activity_type", "=", "call")),
    ("created_by_user_id=45", Compare("created_by", "=", 45)),
    ("start_date=2025-04-15", Compare("start_date", "=", date(2025, 4, 15))),
    ("start_date=", IsNull("start_date")),
    ("location_geocoded=", IsNull("location_geocoded")),
    ("location_geocoded[$ne]=", Not(IsNull("location_geocoded"))),
    ("id=99999999999999999999", Compare("id", "=", BEYOND)),
    ("id[$gt]=-99999999999999999999", Compare("id", ">", -BEYOND)),
    # Subject: the bare value alone is partial.
    ("subject=50%25_x", ContainsText("50%_x")),
    ("subject[$ne]=a", Not(Compare("subject", "=", "a"))),
    ("subject[$in][]=a", OneOf("subject", ("a",))),
    ("subject[$like]=a%25", Like("subject", "a%")),
    ("subject[$ilike]=A%25", Like("subject", "A%", True)),
    ("note[$notlike]=a_", Not(Like("notes", "a_"))),
    # One-valued keys over lists.
    ("assigned_to_user_id=46", HasMember("assignee_ids", (46,))),
    ("assigned_to_user_id[$ne]=46", Not(HasMember("assignee_ids", (46,)))),
    ("contact_id[$in][]=1&contact_id[$in][]=2", HasMember("contact_ids", (1, 2))),
    ("contact_id[$nin][]=1", Not(HasMember("contact_ids", (1,)))),
    ("company_id[$gte]=3", MemberCompare("company_ids", ">=", 3)),
    ("company_id=", IsNull("company_ids")),
    ("company_id[$ne]=null", Not(IsNull("company_ids"))),
    # Sets.
    ("deal_id[$in]=5", OneOf("deal_id", (5,))),
    ("deal_id[$in][]=5&deal_id[$in][]=5", OneOf("deal_id", (5,))),
    ("deal_id[$in][]=5&deal_id[$in][]=", OneOf("deal_id", (5,))),
    ("deal_id[$in][]=", NOTHING),
    ("deal_id[$nin][]=5&deal_id[$nin][]=6", Not(OneOf("deal_id", (5, 6)))),
    ("deal_id[$nin][]=5&deal_id[$nin][]=", NOTHING),
    ("deal_id[$lt]=", NOTHING),
    # What is deleted stays hidden.
    ("deleted_at=", EVERYTHING),
    ("deleted_at[$ne]=", Not(EVERYTHING)),
    # Several operators, several keys.
    (
        "start_date[$gte]=2025-04-01&start_date[$lte]=2025-04-30",
        AllOf(
            (
                Compare("start_date", ">=", date(2025, 4, 1)),
                Compare("start_date", "<=", date(2025, 4, 30)),
            )
        ),
    ),
    ("organization_id[$ne]=27", Not(Compare("tenant_id", "=", 27))),
    ("$or[0][organization_id]=28", Compare("tenant_id", "=", 28)),
    (
        "$and[0][$or][0][deal_id]=1&$and[0][$or][1][done]=true&$and[1][id]=3",
        AllOf(
            (
                AnyOf((Compare("deal_id", "=", 1), Compare("completed", "=", True))),
                Compare("id", "=", 3),
            )
        ),
    ),
    (
        "$or[0][$or][0][id]=1&$or[0][$or][1][id]=2",
        AnyOf((Compare("id", "=", 1), Compare("id", "=", 2))),
    ),
]


@pytest.mark.parametrize(("line", "where"), FROM_URL)
def test_filters_become_conditions(line: str, where: Any):
    assert same(from_url(line).query.where, where)


FROM_BODY = [
    ({"deal_id": None}, IsNull("deal_id")),
    ({"deal_id": 5.0}, Compare("deal_id", "=", 5)),
    ({"deal_id": "5"}, Compare("deal_id", "=", 5)),
    ({"done": False}, Compare("completed", "=", False)),
    ({"subject": None}, IsNull("subject")),
    ({"subject": {}}, EVERYTHING),
    ({"deal_id": {"$in": []}}, NOTHING),
    ({"deal_id": {"$in": [None]}}, NOTHING),
    ({"deal_id": {"$nin": []}}, EVERYTHING),
    ({"deal_id": {"$nin": [1, None]}}, NOTHING),
    ({"$or": []}, EVERYTHING),
    ({"$and": []}, EVERYTHING),
    ({"$or": [{}, {"id": 1}]}, AnyOf((EVERYTHING, Compare("id", "=", 1)))),
    ({"done": True, "deal_id": {"$in": []}}, AllOf((Compare("completed", "=", True), NOTHING))),
    ({"location_geocoded": None}, IsNull("location_geocoded")),
    ({"deleted_at": {"$ne": None}}, Not(EVERYTHING)),
    ({"organization_id": {"$in": [27]}}, OneOf("tenant_id", (27,))),
]


@pytest.mark.parametrize(("query", "where"), FROM_BODY)
def test_typed_values_become_conditions(query: dict, where: Any):
    assert same(from_body(query).query.where, where)


LOW, HIGH = utc(2025, 3, 28, 9, 30, 15, 391_000), utc(2025, 3, 28, 9, 30, 15, 391_999)
TEN, TEN_TOP = time(10), time(10, 0, 0, 999_999)


@pytest.mark.parametrize(
    ("operator", "sign", "edge", "clock_edge"),
    [
        ("$lt", "<", LOW, TEN),
        ("$lte", "<=", HIGH, TEN_TOP),
        ("$gt", ">", HIGH, TEN_TOP),
        ("$gte", ">=", LOW, TEN),
    ],
)
def test_comparisons_mean_what_is_shown(operator: str, sign: str, edge: Any, clock_edge: Any):
    stamp = from_body({"updated_at": {operator: "2025-03-28T15:00:15.391+05:30"}})
    assert stamp.query.where == Compare("updated_at", sign, edge)
    hours = from_body({"end_time": {operator: "10:00"}})
    assert hours.query.where == Compare("end_time", sign, clock_edge)


def test_equality_means_what_is_shown():
    stamp = from_body({"created_at": "2025-03-28T09:30:15.391999Z"}).query.where
    assert stamp == AllOf((Compare("created_at", ">=", LOW), Compare("created_at", "<=", HIGH)))
    ends = from_url("start_time=23:59:59").query.where
    top = time(23, 59, 59, 999_999)
    parts = (Compare("start_time", ">=", time(23, 59, 59)), Compare("start_time", "<=", top))
    assert ends == AllOf(parts)


def test_sets_of_times_are_ranges():
    where = from_body({"start_time": {"$nin": ["10:00:00", "10:00"]}}).query.where
    ten = AllOf((Compare("start_time", ">=", TEN), Compare("start_time", "<=", TEN_TOP)))
    assert same(where, Not(AnyOf((ten,))))


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2025-04-15", utc(2025, 4, 15)),
        ("2025-04-15T10:00", utc(2025, 4, 15, 10)),
        ("2025-04-15 10:00:00", utc(2025, 4, 15, 10)),
        ("2025-04-15T10:00:00.5Z", utc(2025, 4, 15, 10, 0, 0, 500_000)),
        ("2025-04-15T10:00:00-0230", utc(2025, 4, 15, 12, 30)),
        ("2025-04-15T10:00:00.123456789Z", utc(2025, 4, 15, 10, 0, 0, 123_000)),
    ],
)
def test_stamps_are_read_as_instants(written: str, instant: datetime):
    assert from_body({"created_at": {"$gte": written}}).query.where.value == instant


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
