"""Cached responses: never stale, and cached only where that pays."""

from collections.abc import Callable

import pytest

from adapters.response_cache import SAMPLE_EVERY, CachedResponse, ResponseCache
from core.domain.model import Versions


class Tenant:
    """Data with a version, and counts of how often it was read."""

    def __init__(self) -> None:
        self.versions: Versions = Versions(1, 1)
        self.made = 0
        self.checked = 0

    def make(self) -> CachedResponse:
        self.made += 1
        return CachedResponse(str(self.versions).encode(), self.versions)

    def read_versions(self) -> Versions:
        self.checked += 1
        return self.versions

    def write(self) -> None:
        self.versions = Versions(self.versions[0] + 1, self.versions[1])


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


@pytest.fixture
def respond(tenant: Tenant) -> Callable[..., bytes]:
    cache = ResponseCache(max_bytes=10_000)

    def respond(cache_key: str = "q", tenant_id: int = 1) -> bytes:
        return cache.respond(
            tenant_id, cache_key, read_versions=tenant.read_versions, render=tenant.make
        )

    return respond


def test_third_request_is_a_hit(tenant: Tenant, respond: Callable[..., bytes]) -> None:
    answers = {respond() for _ in range(5)}
    assert answers == {str(Versions(1, 1)).encode()}
    assert (tenant.made, tenant.checked) == (2, 3)


def test_write_makes_response_stale(tenant: Tenant, respond: Callable[..., bytes]) -> None:
    for _ in range(3):
        respond()
    tenant.write()
    assert respond() == str(Versions(2, 1)).encode()


def test_directory_write_makes_response_stale(
    tenant: Tenant, respond: Callable[..., bytes]
) -> None:
    for _ in range(3):
        respond()
    tenant.versions = Versions(1, 2)
    assert respond() == str(Versions(1, 2)).encode()


def test_response_requested_once_is_not_cached(
    tenant: Tenant, respond: Callable[..., bytes]
) -> None:
    respond()
    tenant.write()
    respond()
    assert tenant.checked == 0


def test_tenants_never_share_responses(tenant: Tenant, respond: Callable[..., bytes]) -> None:
    for _ in range(3):
        respond(tenant_id=1)
    made = tenant.made
    respond(tenant_id=2)
    assert tenant.made == made + 1


def test_tenant_with_few_hits_is_bypassed(tenant: Tenant, respond: Callable[..., bytes]) -> None:
    for _ in range(1000):
        respond()
        respond()
        tenant.write()
    assert tenant.checked < 1000 / SAMPLE_EVERY * 2


def test_tenant_without_writes_is_cached_again(
    tenant: Tenant, respond: Callable[..., bytes]
) -> None:
    for _ in range(200):
        respond()
        respond()
        tenant.write()
    for _ in range(200):
        respond()
    made = tenant.made
    respond()
    assert tenant.made == made


def test_zero_bytes_cache_nothing(tenant: Tenant) -> None:
    cache = ResponseCache(max_bytes=0)
    for _ in range(3):
        cache.respond(1, "q", read_versions=tenant.read_versions, render=tenant.make)
    assert (tenant.made, tenant.checked) == (3, 0)


def test_cached_bytes_are_bounded(tenant: Tenant) -> None:
    cache = ResponseCache(max_bytes=40)
    for cache_key in range(50):
        for _ in range(3):
            cache.respond(1, cache_key, read_versions=tenant.read_versions, render=tenant.make)
    assert cache.size <= 40


def test_response_rendered_during_write_is_stale_later(tenant: Tenant) -> None:
    """A page shows its own snapshot's version, however the version moved before or after."""
    cache = ResponseCache(max_bytes=10_000)

    def make_while_written() -> CachedResponse:
        made = tenant.make()
        tenant.write()
        return made

    for _ in range(4):
        cache.respond(1, "q", read_versions=tenant.read_versions, render=make_while_written)
    answer = cache.respond(1, "q", read_versions=tenant.read_versions, render=tenant.make)
    assert answer == str(tenant.versions).encode()
