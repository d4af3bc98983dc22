"""Requests out of bytes: what costs a client little must not cost the server much."""

import ipaddress
from collections.abc import Sequence
from typing import Any

import pytest
from support.cpu_time import least_seconds

from gateway.server import known_heads
from gateway.server.environ import Network
from gateway.server.known_heads import MAX_BYTES, MAX_HEADS, KnownHeads
from gateway.server.limits import Limits
from gateway.server.refusals import Refusal
from gateway.server.request_parser import RequestParser
from gateway.server.uploads import Uploads

LIMITS = Limits(max_body_bytes=1000, max_connections=20)
TIMES = 4
"""From the third on a head is known."""
PLAIN = b"GET /activities?a=1 HTTP/1.1\r\nHost: x\r\nX-Access-Token: t\r\n\r\n"
BODILESS = {
    "plain": PLAIN,
    "twice": b"GET /a HTTP/1.1\r\nHost: x\r\nAccept: a\r\naccept: b\r\nX-Other: \xe9\r\n\r\n",
    "last": b"HEAD /a%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "old": b"GET /a HTTP/1.0\r\n\r\n",
    "old and kept": b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "unframed": b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n",
    "options": b"OPTIONS * HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\n\r\n",
    "post": b"POST /a HTTP/1.1\r\nHost: x\r\n\r\n",
}
FRAMED = {
    "length": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab",
    "no length": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "chunks": b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "expects": b"GET /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
    "upgrades": b"GET /a HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
}


def parsed(raw: bytes, heads: KnownHeads, *, proxies: Sequence[Network] = ()) -> dict[str, Any]:
    """Return all that a request on a connection of its own came to."""
    parser = RequestParser(LIMITS, Uploads(), heads=heads, proxies=proxies)
    parser.reset({"REMOTE_ADDR": "10.0.0.1"})
    assert parser.feed(raw)
    names = ("environ", "method", "target", "is_last", "says_close", "is_old", "rest", "in_body")
    found = {name: getattr(parser, name) for name in names}
    found["body"] = found["environ"].pop("wsgi.input").read()
    parser.release()
    return found


def test_flood_of_empty_lines_costs_little():
    parser = RequestParser(LIMITS, Uploads(), heads=KnownHeads())

    def feed() -> None:
        assert not parser.feed(b"\r\n" * 1_000_000)
        assert not parser.feed(b"\r\n")
        assert not parser.has_begun

    assert least_seconds(feed) < 0.5
    assert parser.feed(b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize("raw", [*BODILESS.values(), *FRAMED.values()], ids=[*BODILESS, *FRAMED])
def test_known_head_comes_to_the_same(raw: bytes):
    heads = KnownHeads()
    first, *others = [parsed(raw, heads) for _ in range(TIMES)]
    assert others == [first] * (TIMES - 1)
    assert len(heads) == (raw in BODILESS.values())


def test_known_head_and_others_follow_each_other():
    parser = RequestParser(LIMITS, Uploads(), heads=KnownHeads())
    found = []
    for raw in (PLAIN, FRAMED["length"], PLAIN, PLAIN[:20], PLAIN[20:], FRAMED["chunks"], PLAIN):
        if parser.feed(raw):
            body = parser.environ["wsgi.input"].read()
            found.append((parser.method, parser.environ.get("HTTP_X_ACCESS_TOKEN"), body))
            parser.reset({})
    get = ("GET", "t", b"")
    assert found == [get, ("POST", None, b"ab"), get, get, ("POST", None, b""), get]


def test_known_head_is_of_whoever_sends_it():
    """A proxy's word counts for each request anew."""
    heads, proxies = KnownHeads(), [ipaddress.ip_network("10.0.0.0/8")]
    raw = b"GET /crm/a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 7.7.7.7\r\n\r\n"
    trusted = [parsed(raw, heads, proxies=proxies)["environ"] for _ in range(TIMES)]
    assert {environ["REMOTE_ADDR"] for environ in trusted} == {"7.7.7.7"}
    assert parsed(raw, heads)["environ"]["REMOTE_ADDR"] == "10.0.0.1"


def test_refused_head_is_never_known():
    heads = KnownHeads()
    for _ in range(TIMES):
        with pytest.raises(Refusal):
            parsed(b"GET /" + b"a" * LIMITS.target_bytes + b" HTTP/1.1\r\nHost: x\r\n\r\n", heads)
        with pytest.raises(Refusal):
            parsed(b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", heads)
    assert not len(heads)


def test_heads_are_bounded_in_number_and_size():
    heads = KnownHeads()
    for number in range(3 * MAX_HEADS):
        for _ in range(2):
            parsed(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number, heads)
        assert len(heads) <= MAX_HEADS
    long = b"GET /" + b"a" * MAX_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    before = len(heads)
    assert [parsed(long, heads)["method"] for _ in range(TIMES)] == ["GET"] * TIMES
    assert len(heads) == before


def test_heads_are_forgotten_after_a_minute(monkeypatch: pytest.MonkeyPatch):
    heads = KnownHeads()
    for _ in range(TIMES):
        parsed(PLAIN, heads)
    heads.expire()
    assert len(heads) == 1
    monkeypatch.setattr(known_heads, "KNOWN_SECONDS", 0.0)
    heads.expire()
    assert not len(heads)
