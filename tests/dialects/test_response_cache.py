"""Rendered responses: right at every moment, and kept only where keeping pays."""

from collections.abc import Callable

import pytest

from adapters.response_cache import SAMPLE_EVERY, CachedResponse, ResponseCache
from core.domain.model import Versions


class Tenant:
    """Data with a version, and counts of how often it was asked."""

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
def ask(tenant: Tenant) -> Callable[..., bytes]:
    cache = ResponseCache(max_bytes=10_000)

    def ask(question: str = "q", tenant_id: int = 1) -> bytes:
        return cache.respond(
            tenant_id, question, read_versions=tenant.read_versions, render=tenant.make
        )

    return ask


def test_third_asking_is_kept(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    answers = {ask() for _ in range(5)}
    assert answers == {str(Versions(1, 1)).encode()}
    assert (tenant.made, tenant.checked) == (2, 3)


def test_write_makes_answer_anew(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    for _ in range(3):
        ask()
    tenant.write()
    assert ask() == str(Versions(2, 1)).encode()


def test_directory_write_makes_answer_anew(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    for _ in range(3):
        ask()
    tenant.versions = Versions(1, 2)
    assert ask() == str(Versions(1, 2)).encode()


def test_answer_asked_once_is_not_kept(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    ask()
    tenant.write()
    ask()
    assert tenant.checked == 0


def test_tenants_never_share_answers(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    for _ in range(3):
        ask(tenant_id=1)
    made = tenant.made
    ask(tenant_id=2)
    assert tenant.made == made + 1


def test_restless_tenant_is_left_alone(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    for _ in range(1000):
        ask()
        ask()
        tenant.write()
    assert tenant.checked < 1000 / SAMPLE_EVERY * 2


def test_tenant_that_comes_to_rest_is_kept_again(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    for _ in range(200):
        ask()
        ask()
        tenant.write()
    for _ in range(200):
        ask()
    made = tenant.made
    ask()
    assert tenant.made == made


def test_zero_bytes_keep_nothing(tenant: Tenant) -> None:
    cache = ResponseCache(max_bytes=0)
    for _ in range(3):
        cache.respond(1, "q", read_versions=tenant.read_versions, render=tenant.make)
    assert (tenant.made, tenant.checked) == (3, 0)


def test_bytes_kept_are_bounded(tenant: Tenant) -> None:
    cache = ResponseCache(max_bytes=40)
    for question in range(50):
        for _ in range(3):
            cache.respond(1, question, read_versions=tenant.read_versions, render=tenant.make)
    assert cache.size <= 40


def test_answer_made_during_write_is_not_right_later(tenant: Tenant) -> None:
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
