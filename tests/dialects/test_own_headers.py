"""Headers of our own: what was ignored, what a bulk call reached, what browsers may read."""

from collections.abc import Callable
from urllib.parse import unquote

import pytest
from flask import Flask
from support.both_api import Both
from support.deskera_api import PLACE

from adapters.own_headers import EXPOSED, MAX_BYTES, MAX_NAMES

IGNORED = "X-Ignored-Fields"
TIMES = {"start": "2026-06-01T10:00:00Z", "end": "2026-06-01T11:00:00Z"}


def ignored(answer) -> list[str]:
    """Return the names that a response says were ignored."""
    header = answer.headers.get(IGNORED, "")
    return [unquote(name) for name in header.split(", ") if name]


def test_deskera_names_unknown_keys(both: Both):
    body = {"name": "a", "Größe": 1, "a,b": 2, "id": 7, "Is_Status": True, "x" * 40: None}
    names = ["Größe", "a,b", "id", "x" * 40]
    assert ignored(both.deskera("POST", json=body)) == names
    assert ignored(both.deskera("PUT", 1, json=body)) == names
    assert ignored(both.deskera("PUT", 1, json={"name": "b", "NAME": "c"})) == ["NAME"]
    update = {"ids": [1], "is_status": False, "name": "ignored"}
    assert ignored(both.deskera("PATCH", f"{PLACE}/bulkUpdate", json=update)) == ["name"]
    assert IGNORED not in both.deskera("PUT", 1, json={"name": "c"}).headers


def test_deskera_names_unknown_parameters(both: Both):
    both.deskera.create()
    for _ in range(4):  # Responses from the cache carry the header too.
        assert ignored(both.deskera("GET", query="page=1&pagesize=5&_=1")) == ["pagesize", "_"]
    assert ignored(both.deskera("GET", 1, query="fields=name")) == ["fields"]
    assert ignored(both.deskera("DELETE", 1, query="force=1")) == ["force"]


def test_duration_without_effect_is_named(both: Both):
    assert ignored(both.deskera("POST", json=TIMES | {"duration": "5h"})) == ["duration"]
    assert ignored(both.deskera("POST", json=TIMES | {"duration": "1h 0m"})) == []
    assert ignored(both.deskera("PUT", 1, json={"end": TIMES["end"], "duration": 5})) == [
        "duration"
    ]
    assert ignored(both.deskera("PUT", 1, json={"duration": 5})) == []


def test_repeated_create_names_the_same(both: Both):
    body, headers = TIMES | {"duration": "5h", "color": 1}, {"Idempotency-Key": "k"}
    for _ in range(2):
        answer = both.deskera("POST", json=body, headers=headers)
        assert (answer.json, ignored(answer)) == ({"id": 1}, ["color", "duration"])


def test_achieveapex_names_read_only_keys(both: Both):
    made = both.apex("POST", json={"subject": "a", "id": 9, "company": None})
    assert sorted(ignored(made)) == ["company", "id"]
    record = made.json
    answer = both.apex("PATCH", "/activities/1", json=record)
    read_only = ["created_at", "created_by_user_id", "deleted_at", "id", "updated_at"]
    assert sorted(ignored(answer)) == read_only
    assert IGNORED not in both.apex("PATCH", "/activities/1", json={"done": True}).headers


def test_names_are_bounded(both: Both):
    many = both.deskera("POST", json={f"key{n}": 1 for n in range(50)})
    assert len(ignored(many)) == MAX_NAMES
    long = both.deskera("POST", json={f"{n}" + "ü" * 60: 1 for n in range(5)})
    assert len(long.headers[IGNORED]) <= MAX_BYTES
    assert len(ignored(long)) == 2


def test_bulk_calls_tell_their_reach(both: Both):
    for _ in range(2):
        both.deskera.create()
    update = {"ids": [2, 1, 2, 99], "is_status": True}
    for _ in range(2):
        answer = both.deskera("PATCH", f"{PLACE}/bulkUpdate", json=update)
        assert (answer.headers["X-Updated-Count"], answer.headers["X-Unknown-Count"]) == ("2", "1")
    answer = both.deskera("POST", f"{PLACE}/bulkDelete", json=[1, 99, 98])
    assert (answer.headers["X-Updated-Count"], answer.headers["X-Unknown-Count"]) == ("1", "2")


def test_browsers_may_call_both_dialects(both: Both):
    both.deskera.create()
    calls = [
        both.deskera("GET"),
        both.deskera("GET", 1),
        both.deskera("GET", 99),
        both.deskera("POST", data=b"{"),
        both.deskera("GET", "/v1/crm/nothing"),
        both.apex("GET"),
        both.apex("PUT", "/activities/1", json={}),
    ]
    for answer in calls:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Expose-Headers"] == ", ".join(EXPOSED)


@pytest.mark.parametrize(
    "path", [PLACE, f"{PLACE}/5", f"{PLACE}/bulkUpdate", f"{PLACE}/bulkDelete", "/activities/5"]
)
def test_preflight_needs_no_credential(both: Both, path: str):
    both.deskera.headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    answer = both.deskera("OPTIONS", path)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert "x-access-token" in answer.headers["Access-Control-Allow-Headers"]


def test_origins_come_from_settings(make_app: Callable[..., Flask]):
    app = make_app(cors_origins=("https://a.example", "https://b.example"))
    client = app.test_client()
    for origin, allowed in (("https://b.example", "https://b.example"), ("https://c", None)):
        answer = client.options(PLACE, headers={"Origin": origin})
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Origin" in answer.headers.getlist("Vary")


def test_endless_version_matches_nothing(both: Both):
    both.deskera.create()
    for digits in (19, 5000):
        headers = {"If-Match": f'"{"9" * digits}-ab"'}
        assert both.deskera("PUT", 1, json={"name": "x"}, headers=headers).status_code == 412


@pytest.mark.parametrize(
    ("method", "path", "offered"),
    [
        ("DELETE", "/activities", {"GET", "HEAD", "OPTIONS", "PATCH", "POST"}),
        ("TRACE", "/activities", {"GET", "HEAD", "OPTIONS", "PATCH", "POST"}),
        ("PUT", "/activities/5", {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}),
    ],
)
def test_refusals_name_offered_methods(both: Both, method: str, path: str, offered: set[str]):
    answer = both.apex(method, path)
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, offered)
