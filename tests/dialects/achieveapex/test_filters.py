"""Filters of the Feathers query language: the condition that every operator makes."""

import json
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from adapters.achieveapex.query import ListRequest, to_query
from adapters.achieveapex.query_values import BEYOND
from adapters.http import WireSettings
from core.domain.query import (
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
)

SETTINGS = WireSettings()


def from_url(query_string: str) -> ListRequest:
    """Read a query from a URL."""
    return to_query(query_string.encode(), b"", SETTINGS)


def from_body(query: Any) -> ListRequest:
    """Read a query from the body of a GET."""
    return to_query(b"", json.dumps({"query": query}).encode(), SETTINGS)


def same(left: Any, right: Any) -> bool:
    """Compare conditions by their written form, which tells 1 from true."""
    return repr(left) == repr(right)


def utc(*parts: int) -> datetime:
    """Return an instant in UTC."""
    return datetime(*parts, tzinfo=UTC)


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
    ({"organization_id": {"$in": [27, 28]}}, OneOf("tenant_id", (27, 28))),
    ({"note": {"$iLike": "A%"}}, Like("notes", "A%", ignore_case=True)),
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
