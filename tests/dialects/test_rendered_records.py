"""Rendered records of pages: used while nothing that they show has changed, and bounded."""

import random
from collections.abc import Callable

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Caller, Home

from adapters.achieveapex.translate import references
from adapters.rendered_records import ENTRY_BYTES, NO_CACHE, Entry, PageRecords, RecordCache
from core.domain.model import MAX_PAGE_BYTES, Listed, Versions
from core.storage.brief_reads import FIRST_PAUSE

KEY = ("form", 1, 2)
TEXT = "public_description"
LISTS = ("/v1/crm/activities?sortBy=id", "/activities", "/activities?fastJoinForActivityList=true")


def entry(version: int, directory_version: int, *, size: int = 2, text_bytes: int = 2) -> Entry:
    return Entry(version, directory_version, orjson.Fragment(b"x" * size), size, text_bytes)


def test_entry_counts_at_its_versions_only() -> None:
    cache = RecordCache(max_bytes=10_000)
    cache.add(KEY, entry(3, 7))
    assert cache.find(KEY, 3, 7) is not None
    assert [cache.find(KEY, *versions) for versions in ((4, 7), (3, 8), (2, 7))] == [None] * 3


def test_used_entries_outlive_a_generation() -> None:
    cache = RecordCache(max_bytes=20 * ENTRY_BYTES)
    cache.add(KEY, entry(1, 1))
    for number in range(100):
        cache.add(("other", 1, number), entry(1, 1))
        assert cache.find(KEY, 1, 1) is not None
    assert cache.find(("other", 1, 0), 1, 1) is None


def test_record_larger_than_half_is_not_kept() -> None:
    cache = RecordCache(max_bytes=4 * ENTRY_BYTES)
    cache.add(KEY, entry(1, 1, size=2 * ENTRY_BYTES))
    assert cache.find(KEY, 1, 1) is None


def test_page_is_known_at_its_versions_only() -> None:
    cache = RecordCache(max_bytes=10_000)
    cache.add(KEY, entry(3, 7))
    records = PageRecords(cache, "form", references)
    known, other = Listed(1, 2, 3), Listed(1, 4, 1)
    assert records.knows is not None
    assert records.knows([], Versions(9, 7))
    assert records.knows([known], Versions(9, 7))
    assert not records.knows([known], Versions(9, 8))
    assert not records.knows([known._replace(version=4)], Versions(9, 7))
    assert not records.knows([known._replace(tenant_id=2)], Versions(9, 7))
    assert not records.knows([known, other], Versions(9, 7))


def test_page_of_too_many_bytes_is_not_known() -> None:
    """What is read then refuses it, whatever the dialect shows of its texts."""
    cache = RecordCache(max_bytes=10_000)
    half = MAX_PAGE_BYTES // 2
    for number, size in ((1, half), (2, half), (3, 1)):
        cache.add(("form", 1, number), entry(1, 1, text_bytes=size))
    records = PageRecords(cache, "form", references)
    listed = [Listed(1, number, 1) for number in (1, 2, 3)]
    assert records.knows is not None
    assert records.knows(listed[:2], Versions(1, 1))
    assert not records.knows(listed, Versions(1, 1))


def test_nobody_knows_what_is_not_kept() -> None:
    assert PageRecords(NO_CACHE, "form", references).knows is None


@pytest.fixture
def ann(client: FlaskClient, tenant: Home) -> Caller:
    caller = tenant.caller(1, "read", "write", "directory")
    contact = {"name": "Grace"}
    assert (
        client.put("/directory/contact/5", headers=caller.headers, json=contact).status_code < 300
    )
    for number in range(10):
        body = {"subject": f"call {number}", "contact_id": 5}
        assert client.post("/activities", headers=caller.headers, json=body).status_code == 201
    return caller


@pytest.mark.parametrize("path", LISTS)
def test_page_after_a_write_shows_it(
    client: FlaskClient, make_app: Callable[..., Flask], ann: Caller, path: str
) -> None:
    without = make_app(record_cache_bytes=0).test_client()
    for number in range(3):
        client.get(path, headers=ann.headers)
        changed = {"subject": f"changed {number}"}
        client.patch(f"/activities/{number + 1}", headers=ann.headers, json=changed)
        client.put("/directory/contact/5", headers=ann.headers, json={"name": f"Grace {number}"})
        shown = client.get(path, headers=ann.headers).data
        assert f"changed {number}".encode() in shown
        assert shown == without.get(path, headers=ann.headers).data


def test_page_after_a_write_renders_one_record(
    client: FlaskClient, ann: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[int] = []
    add = RecordCache.add

    def note(cache: RecordCache, key: tuple[str, int, int], made: object) -> None:
        rendered.append(key[2])
        add(cache, key, made)

    client.get("/activities", headers=ann.headers)
    client.patch("/activities/4", headers=ann.headers, json={"subject": "changed"})
    monkeypatch.setattr(RecordCache, "add", note)
    client.get("/activities", headers=ann.headers)
    assert rendered == [4]


@pytest.mark.parametrize("path", LISTS)
def test_known_records_are_not_read(
    app: Flask, client: FlaskClient, ann: Caller, path: str
) -> None:
    said: list[str] = []
    for _ in range(FIRST_PAUSE + 1):
        client.get(path, headers=ann.headers)
    app.extensions["database"].observers.append(lambda sql, _: said.append(sql))
    shown = client.get(path, headers=ann.headers).data
    assert [TEXT in sql for sql in said] == [False]
    said.clear()
    client.patch("/activities/4", headers=ann.headers, json={"subject": "changed"})
    said.clear()
    assert client.get(path, headers=ann.headers).data != shown
    assert [TEXT in sql for sql in said] == [False, True]


def test_known_pages_equal_whole_ones(
    client: FlaskClient, make_app: Callable[..., Flask], ann: Caller
) -> None:
    """Beside all kinds of writes."""
    without = make_app(record_cache_bytes=0).test_client()
    walk = random.Random(5)
    for number in range(60):
        one, subject = f"/activities/{walk.randrange(1, 11)}", {"subject": f"at {number}"}
        method, path, body = walk.choice(
            [
                ("GET", one, None),
                ("PATCH", one, subject),
                ("PATCH", one, {"visibility": "private"}),
                ("POST", "/activities", subject),
                ("DELETE", one, None),
                ("PUT", "/directory/contact/5", {"name": f"Grace {number}"}),
            ]
        )
        client.open(path, method=method, headers=ann.headers, json=body)
        for path in LISTS:
            shown = client.get(path, headers=ann.headers).data
            assert shown == without.get(path, headers=ann.headers).data


def test_selection_never_meets_whole_records(client: FlaskClient, ann: Caller) -> None:
    for _ in range(2):
        whole = client.get("/activities", headers=ann.headers).json["data"][0]
        selected = client.get("/activities?$select[]=subject", headers=ann.headers).json["data"][0]
        assert set(selected) == {"subject", "id"}
        assert len(whole) > 10
