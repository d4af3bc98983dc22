"""Requests out of bytes: what costs a client little must not cost the server much."""

import time

from gateway.server.limits import Limits
from gateway.server.request_parser import RequestParser
from gateway.server.uploads import Uploads


def test_flood_of_empty_lines_costs_little():
    parser = RequestParser(Limits(max_body_bytes=1000, max_connections=20), Uploads())
    begun = time.monotonic()
    assert not parser.feed(b"\r\n" * 1_000_000)
    assert not parser.feed(b"\r\n")
    assert not parser.has_begun
    assert time.monotonic() - begun < 0.5
    assert parser.feed(b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
