"""Limits, orders and selections of the Feathers query language."""

import json
from typing import Any

import pytest

from adapters.achieveapex.fields import EXPANSIONS, FIELD_BY_NAME
from adapters.achieveapex.query import ListRequest, to_query
from adapters.http import WireSettings
from core.domain.model import MAX_ID
from core.domain.query import EVERYTHING, SortKey

SETTINGS = WireSettings()


def from_url(query_string: str) -> ListRequest:
    """Read a query from a URL."""
    return to_query(query_string.encode(), b"", SETTINGS)


def from_body(query: Any) -> ListRequest:
    """Read a query from the body of a GET."""
    return to_query(b"", json.dumps({"query": query}).encode(), SETTINGS)


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
    listed = from_body({"fastJoinForActivityList": flag})
    assert (listed.fast_join, listed.query.where) == (value, EVERYTHING)
