"""Caches are bounded in bytes, keys included: nothing that a client sends fills the memory."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Home

from core.caching.count_cache import CountCache
from core.domain.errors import InvalidQuery
from core.domain.memory import MAX_KEY_BYTES, fits_key, memory_bytes
from core.domain.model import Viewer
from core.domain.query import ActivityQuery, AllOf, Compare, Like, SortKey
from core.storage import sql_filters
from core.storage.activity_reader import ActivityReader
from core.storage.database import Database

VIEWER = Viewer(1, True)
LONG = "x" * (MAX_KEY_BYTES + 1)
LISTS = 60
BODY_CHARACTERS = 1_000_000
ALLOWED_GROWTH = 12_000_000


def query(text: str) -> ActivityQuery:
    return ActivityQuery(AllOf((Compare("location", "=", text),)), (SortKey("id"),), 10, 0)


def test_size_counts_what_is_inside() -> None:
    assert memory_bytes(("a" * 1000, ("b" * 1000, 3))) > 2000
    assert memory_bytes(Compare("location", "=", LONG)) > MAX_KEY_BYTES
    assert fits_key(Compare("location", "=", "short"))


def test_long_conditions_are_never_keys(database: Database, tenant: Home) -> None:
    cache = CountCache(ActivityReader(database))
    before = sql_filters._cached_sql_parts.cache_info().currsize
    cache.page(tenant.id, VIEWER, query(LONG))
    assert len(cache) == 0
    assert sql_filters._cached_sql_parts.cache_info().currsize == before


def test_totals_are_bounded_in_bytes(database: Database, tenant: Home) -> None:
    cache = CountCache(ActivityReader(database), max_bytes=10_000)
    for number in range(50):
        cache.page(tenant.id, VIEWER, query(str(number) * 200))
    assert 1 <= len(cache) < 20


@pytest.mark.parametrize(
    ("pattern", "reason"), [("a" * 1001, "1000 characters"), ("%a" * 9, "8 wildcards")]
)
def test_patterns_are_bounded(pattern: str, reason: str) -> None:
    with pytest.raises(InvalidQuery, match=f"subject: .*{reason}"):
        sql_filters.sql_parts(Like("subject", pattern), ())


def test_escaped_wildcards_are_text() -> None:
    assert sql_filters.sql_parts(Like("subject", r"\%\_" * 9 + "%a" * 8), ())


def test_long_pattern_names_its_field(client: FlaskClient, tenant: Home) -> None:
    url = f"/activities?subject[$like]={'%25a' * 9}"
    answer = client.get(url, headers=tenant.caller(1).headers)
    assert answer.status_code == 400
    assert [problem["instancePath"] for problem in answer.json["data"]] == ["/subject"]


@pytest.mark.parametrize("length", [1000, 1001])
def test_searched_text_is_bounded(client: FlaskClient, tenant: Home, length: int) -> None:
    headers, expected = tenant.caller(1).headers, 200 if length == 1000 else 400
    deskera = client.get(f"/v1/crm/activities?query=name={'a' * length}", headers=headers)
    apex = client.get(f"/activities?subject={'a' * length}", headers=headers)
    assert (deskera.status_code, apex.status_code) == (expected, expected)
    if expected == 400:
        assert deskera.json["errors"][0]["field"] == "name"


def test_distinct_lists_leave_no_memory(make_app: Callable[..., Flask], tenant: Home) -> None:
    client = make_app(max_body_bytes=2 * BODY_CHARACTERS).test_client()
    headers = tenant.caller(1).headers

    def ask(number: int) -> None:
        wanted: dict[str, Any] = {"query": {"note": f"{number} " + "x" * BODY_CHARACTERS}}
        answer = client.get("/activities", json=wanted, headers=headers)
        assert answer.status_code == 200

    for number in range(5):
        ask(number)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(5, 5 + LISTS):
            ask(number)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < ALLOWED_GROWTH
    finally:
        tracemalloc.stop()
