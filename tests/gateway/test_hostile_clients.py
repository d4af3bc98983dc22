"""Hostile queries against the running gateway, by the byte: never a 500, never a second answer."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from support.callers import JWT_SECRET
from support.gateway_process import command, make_keys, served
from support.hostile_queries import (
    ANSWERED_URLS,
    FALSE_FRAMES,
    FALSE_LENGTHS,
    REFUSED_BODIES,
    REFUSED_TEXTS,
    REFUSED_URLS,
    SECOND,
    UNFINISHED,
    UNFRAMED,
)
from support.raw_http import Exchange, connect, exchange, request

ORGANIZATION = 1101
USER = 45
ACTIVITIES = 3
BOUND_SECONDS = 1.0
MAX_LINE = 8190
MANY = 6  # More than the threads of all workers.
JSON_TYPE = {"Content-Type": "application/json"}

Ask = Callable[..., Exchange]
Gateway = tuple[int, dict[str, str]]


@pytest.fixture(scope="module")
def gateway(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Give the port of a running gateway, and the headers of a caller with three activities."""
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_JWT_SECRET": JWT_SECRET,
        "GATEWAY_LOG_LEVEL": "warning",
    }
    records: list[dict[str, Any]] = [{"kind": "tenant", "id": ORGANIZATION, "name": "Hostile"}]
    for number in range(1, ACTIVITIES + 1):
        activity = {"kind": "activity", "id": number, "created_by": USER, "subject": "a" * 50_000}
        records.append({**activity, "tenant_id": ORGANIZATION, "notes": "note"})
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    command(environ, "import", "-", given=lines.encode())
    key = make_keys(database_url, user_id=USER, hostile=ORGANIZATION)["hostile"]["key"]
    with served(environ, log=tmp_path_factory.mktemp("hostile") / "log") as port:
        yield port, {"x-api-key": key}


@pytest.fixture
def ask(gateway: Gateway) -> Ask:
    """Give a sender of one request to `/activities`, by target or by the query in its body."""
    port, headers = gateway

    def send(target: str = "/activities", *, body: bytes | None = None, **given: Any) -> Exchange:
        own = given.pop("headers", {})
        sent = request(target, method=given.pop("method", "GET"), headers=headers | own, body=body)
        return exchange(port, sent + given.pop("trailing", b""), **given)

    return send


@contextmanager
def kept_open(port: int, sent: bytes) -> Iterator[None]:
    """Send the same on many connections, and keep them open."""
    with ExitStack() as connections:
        for _ in range(MANY):
            connections.enter_context(connect(port)).sendall(sent)
        yield


def assert_bounded(answer: Exchange, *statuses: int) -> None:
    """Check that there is one answer, in time, with one of these statuses and Feathers' shape."""
    assert answer.status in statuses, answer.received[:500]
    assert answer.seconds < BOUND_SECONDS
    if answer.status != 200:
        assert answer.json["code"] == answer.status


@pytest.mark.parametrize("query", REFUSED_URLS.values(), ids=REFUSED_URLS.keys())
def test_hostile_url_is_refused(ask: Ask, query: str):
    assert_bounded(ask(f"/activities?{query}"), 400)


@pytest.mark.parametrize(("query", "total"), ANSWERED_URLS.values(), ids=ANSWERED_URLS.keys())
def test_hostile_url_is_answered(ask: Ask, query: str, total: int):
    answer = ask(f"/activities?{query}&$select=id")
    assert_bounded(answer, 200)
    assert answer.json["total"] == total


@pytest.mark.parametrize("length", [MAX_LINE + 1, 60_000])
def test_long_url_is_refused(ask: Ask, length: int):
    answer = ask("/activities?note=" + "a" * length)
    assert (answer.status, answer.is_closed) == (414, True)


@pytest.mark.parametrize("body", REFUSED_BODIES.values(), ids=REFUSED_BODIES.keys())
def test_hostile_body_is_refused(ask: Ask, body: Any):
    assert_bounded(ask(body=json.dumps(body).encode()), 400)


@pytest.mark.parametrize("body", REFUSED_TEXTS.values(), ids=REFUSED_TEXTS.keys())
def test_broken_body_is_refused(ask: Ask, body: bytes):
    assert_bounded(ask(body=body), 400)


@pytest.mark.parametrize("column", ["id", "assigned_to_user_id", "duration"])
def test_thousand_values_are_answered(ask: Ask, column: str):
    query = {column: {"$nin": list(range(2, 1002))}, "$select": ["id"]}
    answer = ask(body=json.dumps({"query": query}).encode())
    assert_bounded(answer, 200)
    assert answer.json["total"] == (1 if column == "id" else 0)


@pytest.mark.parametrize(
    "shown",
    ["9" * 5000, "-1", "0", "1.0", "1e0", "%D9%A1", "+1", "01", "1;x", "%00", "%ff", "null"],
)
def test_hostile_id_is_not_found(ask: Ask, shown: str):
    assert_bounded(ask(f"/activities/{shown}"), 404)


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
@pytest.mark.parametrize("trailing", UNFRAMED.values(), ids=UNFRAMED.keys())
def test_unframed_body_is_never_answered(ask: Ask, method: str, trailing: bytes):
    answer = ask("/activities/99", method=method, headers=JSON_TYPE, trailing=trailing)
    assert (answer.statuses, answer.is_closed) == ([404], True)
    assert answer.seconds < BOUND_SECONDS


def test_unframed_body_ends_kept_connection(gateway: Gateway):
    port, headers = gateway
    honest = request("/activities/1", headers=headers)
    unframed = request("/activities", headers=headers | JSON_TYPE) + SECOND
    answer = exchange(port, honest * 3 + unframed)
    assert (answer.statuses, answer.is_closed) == ([200] * 4, True)


def test_unframed_bodies_block_nobody(gateway: Gateway, ask: Ask):
    port, headers = gateway
    with kept_open(port, request("/activities", headers=headers | JSON_TYPE) + b'{"query":'):
        assert_bounded(ask("/activities/1"), 200)


@pytest.mark.parametrize("length", FALSE_LENGTHS)
def test_false_length_is_refused(ask: Ask, length: str):
    answer = ask(headers={"Content-Length": length}, trailing=b"{}" + SECOND)
    assert (answer.status, answer.is_closed) == (400, True)


@pytest.mark.parametrize(("headers", "body"), FALSE_FRAMES.values(), ids=FALSE_FRAMES.keys())
def test_false_frame_is_refused(ask: Ask, headers: str, body: bytes):
    name, _, value = headers.partition(": ")
    answer = ask(method="POST", headers=JSON_TYPE | {name: value}, trailing=body + SECOND)
    assert answer.status in {400, 501}
    assert answer.is_closed


def test_short_length_leaves_no_request(ask: Ask):
    answer = ask(headers=JSON_TYPE | {"Content-Length": "2"}, trailing=b'{"query":{"id":1}}')
    assert_bounded(answer, 400)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_cut_body_is_refused(ask: Ask, method: str):
    headers = JSON_TYPE | {"Content-Length": "500"}
    body = b'{"subject":"cut"'
    answer = ask(method=method, headers=headers, trailing=body, is_half_closed=True)
    assert_bounded(answer, 400)
    assert answer.is_closed


def test_honest_requests_share_connection(gateway: Gateway):
    port, headers = gateway
    body = b'{"query":{"id":{"$in":[1,2]},"$select":["id"]}}'
    answer = exchange(port, request("/activities", headers=headers, body=body) * 20)
    assert (answer.statuses, answer.is_closed) == ([200] * 20, False)


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_unfinished_requests_are_given_up(gateway: Gateway, ask: Ask, sent: bytes):
    port, headers = gateway
    key = f"Host: x\r\nx-api-key: {headers['x-api-key']}\r\n".encode()
    with kept_open(port, sent.replace(b"Host: x\r\n", key)):
        assert ask("/activities/1").status == 200  # Not at once, but while they are still open.
