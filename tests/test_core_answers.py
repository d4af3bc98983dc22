"""Whole answers: right at every moment, and kept only where keeping pays."""

from collections.abc import Callable

import pytest

from core.answers import SAMPLED, Answer, AnswerCache, Stamp


class Tenant:
    """Data with a version, and counts of how often it was asked."""

    def __init__(self) -> None:
        self.stamp: Stamp = (1, 1)
        self.made = 0
        self.checked = 0

    def make(self) -> Answer:
        self.made += 1
        return Answer(f"answer at {self.stamp}".encode(), self.stamp)

    def read_stamp(self) -> Stamp:
        self.checked += 1
        return self.stamp

    def write(self) -> None:
        self.stamp = (self.stamp[0] + 1, self.stamp[1])


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


@pytest.fixture
def ask(tenant: Tenant) -> Callable[..., bytes]:
    cache = AnswerCache(max_bytes=10_000)

    def ask(question: str = "q", tenant_id: int = 1) -> bytes:
        return cache.answer(tenant_id, question, read_stamp=tenant.read_stamp, make=tenant.make)

    return ask


def test_third_asking_is_kept(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    answers = {ask() for _ in range(5)}
    assert answers == {b"answer at (1, 1)"}
    assert (tenant.made, tenant.checked) == (2, 3)


def test_write_makes_answer_anew(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    for _ in range(3):
        ask()
    tenant.write()
    assert ask() == b"answer at (2, 1)"


def test_directory_write_makes_answer_anew(tenant: Tenant, ask: Callable[..., bytes]) -> None:
    for _ in range(3):
        ask()
    tenant.stamp = (1, 2)
    assert ask() == b"answer at (1, 2)"


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
    assert tenant.checked < 1000 / SAMPLED * 2


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
    cache = AnswerCache(max_bytes=0)
    for _ in range(3):
        cache.answer(1, "q", read_stamp=tenant.read_stamp, make=tenant.make)
    assert (tenant.made, tenant.checked) == (3, 0)


def test_bytes_kept_are_bounded(tenant: Tenant) -> None:
    cache = AnswerCache(max_bytes=40)
    for question in range(50):
        for _ in range(3):
            cache.answer(1, question, read_stamp=tenant.read_stamp, make=tenant.make)
    assert cache.size <= 40


def test_answer_made_during_write_is_not_right_later(tenant: Tenant) -> None:
    """A page shows its own snapshot's version, however the version moved before or after."""
    cache = AnswerCache(max_bytes=10_000)

    def make_while_written() -> Answer:
        made = tenant.make()
        tenant.write()
        return made

    for _ in range(4):
        cache.answer(1, "q", read_stamp=tenant.read_stamp, make=make_while_written)
    answer = cache.answer(1, "q", read_stamp=tenant.read_stamp, make=tenant.make)
    assert answer == f"answer at {tenant.stamp}".encode()
