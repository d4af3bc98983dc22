"""The use cases on activities: writes by id and in bulk."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from support.callers import Home
from support.clock import Clock, age_keys
from support.factories import make_principal
from support.use_cases import ALL, id_of, same, setting

from core.activities import Activities
from core.domain.errors import (
    ActivityNotFound,
    Forbidden,
    ForeignTenant,
    IdempotencyConflict,
    InvalidActivity,
    InvalidQuery,
    VersionMismatch,
)
from core.domain.model import Activity, IdempotencyKey, Principal, Tenant
from core.storage.database import Database
from core.storage.tenant_store import Tenants


def test_ids_count_up_by_tenant(activities: Activities, ann: Principal) -> None:
    assert [activities.create(ann, same, id_of) for _ in range(3)] == [b"1", b"2", b"3"]


def test_failed_create_takes_no_id(activities: Activities, ann: Principal) -> None:
    def refuse(_activity: Activity, _tenant: Tenant) -> Activity:
        raise InvalidActivity("name", "no")

    with pytest.raises(InvalidActivity):
        activities.create(ann, refuse, id_of)
    assert activities.create(ann, same, id_of) == b"1"


def test_parallel_creates_never_share_ids(activities: Activities, ann: Principal) -> None:
    ids: list[bytes] = []

    def create() -> None:
        ids.extend(activities.create(ann, same, id_of) for _ in range(10))

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, ids)) == list(range(1, 41))
    assert activities.page(ann, ALL).total == 40


def test_equal_write_moves_nothing(
    activities: Activities, ann: Principal, clock: Clock, tenant: Home, database: Database
) -> None:
    activities.create(ann, same, id_of)
    before = activities.get(ann, 1).activity
    versions = activities.get(ann, 1).versions
    clock.advance(seconds=5)
    assert activities.change(ann, 1, same).activity == before
    assert activities.get(ann, 1).versions == versions


def test_change_moves_version_and_stamp(
    activities: Activities, ann: Principal, bob: Principal, clock: Clock
) -> None:
    activities.create(ann, same, id_of)
    now = clock.advance(seconds=5)
    changed = activities.change(bob, 1, setting(subject="new")).activity
    assert (changed.version, changed.updated_at, changed.updated_by) == (2, now, 2)
    assert activities.get(ann, 1).activity == changed


def test_clock_that_steps_back_is_not_followed(
    activities: Activities, ann: Principal, clock: Clock
) -> None:
    activities.create(ann, same, id_of)
    created_at = clock.now
    clock.now -= timedelta(hours=1)
    assert activities.change(ann, 1, setting(subject="x")).activity.updated_at == created_at


def test_version_mismatch_changes_nothing(activities: Activities, ann: Principal) -> None:
    activities.create(ann, same, id_of)
    with pytest.raises(VersionMismatch):
        activities.change(ann, 1, setting(subject="x"), if_versions=frozenset({7}))
    with pytest.raises(VersionMismatch):
        activities.remove(ann, 1, if_versions=frozenset())
    assert activities.get(ann, 1).activity.subject == ""


def test_removed_is_found_by_nothing(activities: Activities, ann: Principal) -> None:
    activities.create(ann, same, id_of)
    removed = activities.remove(ann, 1).activity
    assert removed.deleted_at == removed.updated_at
    for call in (activities.get, activities.remove):
        with pytest.raises(ActivityNotFound):
            call(ann, 1)
    with pytest.raises(ActivityNotFound):
        activities.change(ann, 1, same)
    assert activities.change_many(ann, [1], same) == []
    assert activities.page(ann, ALL).total == 0


def test_bulk_answers_in_order_asked(activities: Activities, ann: Principal) -> None:
    for _ in range(3):
        activities.create(ann, same, id_of)
    assert activities.change_many(ann, [3, 1, 3, 99], setting(completed=True)) == [3, 1]


def test_bulk_refused_halfway_changes_nothing(activities: Activities, ann: Principal) -> None:
    def refuse_second(activity: Activity, _tenant: Tenant) -> Activity:
        if activity.id == 2:
            raise InvalidActivity("is_status", "no")
        return activity._replace(completed=True)

    for _ in range(3):
        activities.create(ann, same, id_of)
    with pytest.raises(InvalidActivity):
        activities.change_many(ann, [1, 2, 3], refuse_second)
    assert not any(activity.completed for activity in activities.page(ann, ALL).activities)


def test_scopes_are_required(activities: Activities, tenant: Home) -> None:
    reader = make_principal(tenant_ids=(tenant.id,), scopes=frozenset({"read"}))
    writer = make_principal(tenant_ids=(tenant.id,), scopes=frozenset({"write"}))
    with pytest.raises(Forbidden):
        activities.create(reader, same, id_of)
    with pytest.raises(Forbidden):
        activities.page(writer, ALL)


def test_foreign_tenant_is_forbidden(activities: Activities, ann: Principal) -> None:
    with pytest.raises(ForeignTenant):
        activities.page(ann, ALL, tenant_id=ann.tenant_ids[0] + 1)


def test_spanning_credential_names_its_tenant(
    activities: Activities, ann: Principal, database: Database, tenant: Home
) -> None:
    here, there = ann.tenant_ids[0], ann.tenant_ids[0] + 700_000
    Tenants(database).create(Tenant(there, "There", "UTC", "UTC"))
    both = make_principal(user_id=1, tenant_ids=(here, there))
    with pytest.raises(InvalidQuery):
        activities.page(both, ALL)
    with pytest.raises(InvalidActivity):
        activities.create(both, same, id_of)
    for tenant_id in (here, there, there):
        activities.create(both, same, id_of, tenant_id=tenant_id)
    assert activities.get(both, 2).activity.tenant_id == there
    with pytest.raises(InvalidQuery):
        activities.get(both, 1)
    with pytest.raises(InvalidQuery):
        activities.change_many(both, [1, 2], same)
    assert activities.change_many(both, [1, 2], same, tenant_id=there) == [1, 2]


def test_idempotency_key_gives_first_answer(activities: Activities, ann: Principal) -> None:
    key = IdempotencyKey("deskera", "k", b"digest")
    answers = {activities.create(ann, same, id_of, idempotency=key) for _ in range(3)}
    assert answers == {b"1"}
    with pytest.raises(IdempotencyConflict):
        activities.create(ann, same, id_of, idempotency=key._replace(digest=b"other"))


def test_idempotency_key_is_scoped(activities: Activities, ann: Principal, bob: Principal) -> None:
    key = IdempotencyKey("deskera", "k", b"digest")
    callers = [(ann, key), (bob, key), (ann, key._replace(dialect="achieveapex"))]
    answers = [activities.create(who, same, id_of, idempotency=k) for who, k in callers]
    assert answers == [b"1", b"2", b"3"]


def test_idempotency_key_ends_after_a_day(
    activities: Activities, ann: Principal, database: Database, tenant: Home
) -> None:
    key = IdempotencyKey("deskera", "k", b"digest")
    activities.create(ann, same, id_of, idempotency=key)
    age_keys(database, tenant.id, hours=25)
    assert activities.create(ann, same, id_of, idempotency=key) == b"2"


def test_key_dropped_while_claimed_is_claimed_anew(
    activities: Activities, ann: Principal, database: Database, tenant: Home
) -> None:
    key = IdempotencyKey("deskera", "k", b"digest")
    activities.create(ann, same, id_of, idempotency=key)
    dropped = threading.Event()

    def drop(sql: str, _parameters: object) -> None:
        """Drop the key between the look whether it is there and the reading of its answer."""
        if sql.startswith("SELECT idempotency_keys") and not dropped.is_set():
            dropped.set()
            age_keys(database, tenant.id, hours=25)
            activities.create(ann, same, id_of, idempotency=key._replace(key="another"))

    database.observers.append(drop)
    assert activities.create(ann, same, id_of, idempotency=key) == b"3"
    assert dropped.is_set()


def test_strict_references_name_what_is_missing(
    make_app: Callable[..., Flask], tenant: Home, ann: Principal
) -> None:
    strict: Activities = make_app(strict_references=True).extensions["activities"]
    with pytest.raises(InvalidActivity) as refusal:
        strict.create(ann, setting(contact_ids=(7,), deal_id=9), id_of)
    assert "7" in str(refusal.value)
    assert "9" in str(refusal.value)
