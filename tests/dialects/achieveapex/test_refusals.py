"""Queries that are refused: in whose words, naming what, and how quickly."""

import json
from typing import Any

import pytest
from support.cpu_time import least_seconds

from adapters.achieveapex.errors import FeathersError
from adapters.achieveapex.filters import MAX_COMPARISONS
from adapters.achieveapex.query import MAX_CONDITIONS, MAX_VALUES, ListRequest, to_query
from adapters.http import WireSettings
from core.domain.errors import CoreError, InvalidActivity, InvalidQuery

SETTINGS = WireSettings()


def from_url(query_string: str) -> ListRequest:
    """Read a query from a URL."""
    return to_query(query_string.encode(), b"", SETTINGS)


def from_body(query: Any) -> ListRequest:
    """Read a query from the body of a GET."""
    return to_query(b"", json.dumps({"query": query}).encode(), SETTINGS)


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


def test_thousands_of_ids_are_read():
    listed = from_body({"id": {"$in": list(range(1, MAX_VALUES + 1))}})
    assert len(listed.query.where.values) == MAX_VALUES


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
    def refuse() -> None:
        with pytest.raises((CoreError, FeathersError)):
            to_query(query_string, body, SETTINGS)

    assert least_seconds(refuse) < 0.5


def test_nul_in_a_body_is_refused():
    with pytest.raises(InvalidActivity):
        from_body({"subject": "a\0"})
