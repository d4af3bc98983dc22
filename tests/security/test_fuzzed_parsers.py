"""Whatever strangers send is read or refused, in the declared way, at once.

Hypothesis makes the input here, out of the pieces that each parser looks for; what a byte-level
fuzzer once found worth keeping (`make fuzz`) is replayed.
"""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.fuzz_targets import TARGETS, read_seeds

EXAMPLES = 300
SLOW_SECONDS = 1.0
URL_BYTES, BODY_BYTES = 2**13, 2**18
JSON = [b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\\u0000", b"\\ud800", b"1e999", b"null"]
URL = [b"&", b"=", b"[", b"]", b"[]", b"[0]", b"%", b"%5B", b"%00", b"%ff", b"+", b"$or[0]", b"id"]
TIMES = [b"2025-02-29", b"T", b"23:59:60", b"Z", b"+05:30", b"9" * 20, b"0001-01-01", b"\xd9\xa1"]
QUERY = [b"name", b"=", b"!=", b"!null", b",", b'"', b">", b"<=", b"date", b"id", b"contact_id"]
NAMES = [b'"id":', b'"kind":"activity"', b'"tenant_id":1', b'"start":', b'"duration":', b'"notes":']
HEADERS = [b'"1-a"', b"W/", b",", b"*", b"::1", b"192.0.2.1", b"https", b" ", b"\t", b"%"]
CLAIMS = [
    *(b'"exp":', b'"sub":', b'"organization_id":', b'"jti":', b'"scope":', b'"nbf":', b"1e400"),
    *(b"9999999999", b"Bearer ", b"eyJhbGciOiJIUzI1NiJ9.", b".", b"crm27xabcdefgh27", b"a" * 43),
]
HTTP = [
    *(b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\n", b"\r"),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n"),
    *(b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"abc", b" "),
]
TOKENS = {
    "deskera_url": URL + QUERY,
    "deskera_conditions": QUERY + TIMES,
    "deskera_body": JSON + NAMES + TIMES,
    "deskera_texts": [*TIMES, b"VGVzdA==", b"=", b"\r\n", b"1h", b"21m", b"h", b"-"],
    "apex_url": URL + TIMES,
    "apex_query_body": JSON + NAMES + [b'"query":', b'"$or":', b'"$in":', b'"$like":', b"%_"],
    "apex_body": JSON + NAMES + TIMES,
    "apex_texts": [*TIMES, b"true", b"null", b"-", b".", b"e5", b"0" * 50],
    "import_line": JSON + NAMES + TIMES,
    "request_headers": HEADERS,
    "credentials": JSON + CLAIMS,
    "request_bytes": HTTP,
}
BODIES = ("body", "line", "texts", "bytes")


def read(name: str, data: bytes) -> None:
    """Have a target read bytes, at once."""
    begun = time.perf_counter()
    TARGETS[name](data)
    assert time.perf_counter() - begun < SLOW_SECONDS


def pieces(name: str) -> st.SearchStrategy[bytes]:
    """Return bytes put together from what a target looks for, and from anything."""
    token = st.sampled_from(TOKENS[name])
    return st.lists(token | token | st.binary(max_size=4), max_size=30).map(b"".join)


@pytest.mark.parametrize("name", TARGETS)
def test_anything_is_read_or_refused(name: str):
    @settings(max_examples=EXAMPLES)
    @given(data=pieces(name) | st.binary(max_size=200))
    @example(data=b"")
    def reads(data: bytes) -> None:
        read(name, data)

    reads()


@pytest.mark.parametrize("name", TARGETS)
def test_kept_seeds_are_read_or_refused(name: str):
    seeds = read_seeds(name)
    assert seeds
    for seed in seeds:
        read(name, seed)


@pytest.mark.parametrize("name", TARGETS)
def test_repetition_takes_no_time(name: str):
    """A piece as often as a request can hold it, at the start of others too."""
    size = BODY_BYTES if name.endswith(BODIES) else URL_BYTES
    for token in TOKENS[name]:
        for end in (b"", TOKENS[name][0]):
            read(name, token * (size // len(token)) + end)
