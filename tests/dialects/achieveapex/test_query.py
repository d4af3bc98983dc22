"""The Feathers query language: both transports, every operator, every refusal."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.achieveapex.query import ListRequest, to_query
from adapters.achieveapex.query_values import BEYOND
from adapters.http import WireSettings
from core.domain.errors import InvalidInput, InvalidQuery
from core.domain.query import (
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

SETTINGS = WireSettings()
BY_ID = (SortKey("id"),)


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


# What @feathersjs/rest-client sends, line by line (docs/dialects/achieveapex.md A85).
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
    listed = from_url(line)
    assert same(listed.query.where, where)
    assert listed.query.order == rest.get("order", BY_ID)
    expected = (rest.get("tenant_id"), rest.get("select"), rest.get("fast_join", False))
    assert (listed.tenant_id, listed.select, listed.fast_join) == expected


def test_vendors_body_is_understood():
    listed = from_body(
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
    assert same(listed.query.where, AllOf((who, done)))
    assert listed.query.order == (SortKey("start_date"), SortKey("start_time"), SortKey("id"))


def test_url_and_body_are_merged():
    body = b'{"query": {"done": false, "$limit": 4, "deal_id": 5, "id": {"$in": [7]}}}'
    listed = to_query(b"done=false&$limit=4&id[$in]=7&note=", body, SETTINGS)
    assert listed.query.limit == 4
    done, deal, note = Compare("completed", "=", False), Compare("deal_id", "=", 5), ""
    parts = (done, deal, OneOf("id", (7,)), Compare("notes", "=", note))
    assert same(listed.query.where, AllOf(parts))


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("done=true", {"done": False}),
        ("organization_id=27", {"organization_id": 28}),
        ("id[$gt]=5", {"id": {"$lt": 5}}),
        ("id[$in]=5", {"id": {"$in": [5, 6]}}),
        ("$limit=5", {"$limit": 6}),
        ("note=", {"note": "null"}),
    ],
)
def test_url_and_body_must_agree(url: str, query: dict):
    with pytest.raises(InvalidQuery) as caught:
        to_query(url.encode(), json.dumps({"query": query}).encode(), SETTINGS)
    assert caught.value.problems == [
        (next(iter(query)), "has another value in the URL than in the body")
    ]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"organization_id": 27, "done": True}, ["body/organization_id", "body/done"]),
        ({"qurey": {"done": True}}, ["body/qurey"]),
        ({"query": {}, "other": 1}, ["body/other"]),
        ({"query": None}, ["body/query"]),
        ({"query": []}, ["body/query"]),
    ],
)
def test_wrong_query_bodies_name_their_keys(body: dict, places: list[str]):
    with pytest.raises(InvalidQuery) as caught:
        to_query(b"", json.dumps(body).encode(), SETTINGS)
    assert [place for place, _ in caught.value.problems] == places


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"query": {}}'])
def test_empty_bodies_ask_for_everything(body: bytes):
    assert to_query(b"", body, SETTINGS).query.where is EVERYTHING


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b'{"query": []}', b'{"query": {"id": NaN}}'])
def test_unreadable_bodies_are_refused(body: bytes):
    with pytest.raises(InvalidInput):
        to_query(b"", body, SETTINGS)


def test_several_organizations_are_named():
    several = from_body({"organization_id": {"$in": [27, 28, 27]}})
    assert several.tenant_ids == (27, 28)
    assert several.tenant_id is None
    assert from_url("organization_id[$in]=27").tenant_id == 27
    assert from_url("organization_id[$ne]=27").tenant_ids == ()


def test_foreign_organization_is_passed_on():
    assert from_url("organization_id=99").tenant_id == 99
    assert from_url("organization_id=9" + "9" * 30).tenant_id == BEYOND


def test_repeated_queries_are_cached():
    assert from_url("deal_id=5&$limit=3") is from_url("deal_id=5&$limit=3")
