"""Kept responses: only where keeping pays, and never more bytes than allowed."""

import resource
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from core.domain.model import Principal, Versions
from gateway.server.kept_responses import (
    ENTRY_BYTES,
    HIT_WINDOW,
    MIN_KEPT,
    KeptResponse,
    KeptResponses,
    Shown,
)
from gateway.server.responses import Response

PRINCIPAL = Principal(1, (1,), frozenset({"read"}))
Request = Callable[..., bool]
STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


def response_at(versions: Versions, *, tenant_id: int = 1, size: int = 10) -> KeptResponse:
    shown = Shown(tenant_id, versions, PRINCIPAL, "deskera", "/route")
    return KeptResponse(Response(200, [], b"x" * size), shown)


@pytest.fixture
def responses() -> KeptResponses:
    return KeptResponses(max_bytes=100_000)


@pytest.fixture
def request_page(responses: KeptResponses) -> Request:
    """Give a request as the keeper treats it: whether it was a hit at these versions."""

    def request(versions: Versions, key: bytes = b"q", tenant_id: int = 1) -> bool:
        kept = responses.find(key)
        if kept is not None and kept.shown.versions == versions:
            responses.count_hit(kept)
            return True
        responses.discard(key)
        if responses.admits(key, tenant_id, versions):
            responses.keep(key, response_at(versions, tenant_id=tenant_id))
        return False

    return request


def test_third_request_is_a_hit(request_page: Request) -> None:
    hits = [request_page(Versions(1, 1)) for _ in range(4)]
    assert hits == [False, False, True, True]


@pytest.mark.parametrize("moved", [Versions(2, 1), Versions(1, 2)])
def test_any_write_makes_it_a_miss(request_page: Request, moved: Versions) -> None:
    for _ in range(3):
        request_page(Versions(1, 1))
    assert not request_page(moved)


def test_response_requested_once_is_not_kept(
    responses: KeptResponses, request_page: Request
) -> None:
    request_page(Versions(1, 1))
    request_page(Versions(2, 1))
    assert responses.find(b"q") is None


def test_restless_tenant_is_bypassed(responses: KeptResponses, request_page: Request) -> None:
    kept = 0
    for version in range(1000):
        for _ in range(2):
            request_page(Versions(version, 1))
        kept += responses.find(b"q") is not None
    assert kept <= MIN_KEPT


def test_tenant_that_was_read_for_long_is_bypassed_soon(
    responses: KeptResponses, request_page: Request
) -> None:
    pages = [b"%d" % number for number in range(20)]
    for _ in range(5000):
        for page in pages:
            request_page(Versions(1, 1), page)
    kept = 0
    for version in range(2, 1000):
        for _ in range(2):
            request_page(Versions(version, 1))
        kept += responses.find(b"q") is not None
    assert kept <= HIT_WINDOW


def test_tenant_that_comes_to_rest_is_kept_again(request_page: Request) -> None:
    for version in range(200):
        for _ in range(2):
            request_page(Versions(version, 1))
    for _ in range(200):
        request_page(Versions(200, 1))
    assert request_page(Versions(200, 1))


def test_restless_tenant_leaves_others_alone(request_page: Request) -> None:
    for version in range(200):
        for _ in range(2):
            request_page(Versions(version, 1))
    hits = [request_page(Versions(1, 1), b"other", tenant_id=2) for _ in range(3)]
    assert hits[-1]


def test_kept_bytes_are_bounded() -> None:
    responses = KeptResponses(max_bytes=10 * ENTRY_BYTES)
    for number in range(100):
        responses.keep(str(number).encode(), response_at(Versions(1, 1), size=100))
    assert 5 <= len(responses) <= 10
    assert responses.size <= 10 * ENTRY_BYTES


@pytest.mark.skipif(not STATM.exists(), reason="only Linux tells what a process takes")
def test_kept_bytes_are_what_is_counted() -> None:
    responses = KeptResponses(max_bytes=2**26)
    before = resident_bytes()
    for number in range(4000):
        kept = response_at(Versions(1, 1))
        body = orjson.dumps({"subject": "x" * 500})
        kept = kept._replace(response=kept.response._replace(body=body))
        responses.keep(str(number).encode(), kept)
    assert resident_bytes() - before < 1.5 * responses.size


def test_response_larger_than_all_is_not_kept() -> None:
    responses = KeptResponses(max_bytes=2 * ENTRY_BYTES)
    responses.keep(b"q", response_at(Versions(1, 1), size=2 * ENTRY_BYTES))
    assert len(responses) == 0
