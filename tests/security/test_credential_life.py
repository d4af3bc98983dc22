"""The life of a credential: named, used, rotated, expired, revoked."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Home
from support.clock import Clock

from core.domain.errors import EntityNotFound
from core.storage.credential_store import Credential, Credentials, parse_key
from core.storage.revocation_store import Revocations
from gateway.auth import authenticator, last_use

APEX = "/activities"


@pytest.fixture
def credentials(app: Flask) -> Credentials:
    """Give the keys of the application."""
    found: Credentials = app.extensions["credentials"]
    return found


def stored(credentials: Credentials, key: str) -> Credential:
    """Return what is stored of a key."""
    found = credentials.find(*(parse_key(key) or (0, "")))
    assert found is not None
    return found


def status(client: FlaskClient, key: str) -> int:
    """Return how a request with this key is answered."""
    return client.get(APEX, headers={"x-api-key": key}).status_code


def settle(looks_settled: Callable[[], bool]) -> None:
    """Wait until it looks settled, but not for long."""
    deadline = time.monotonic() + 5
    while not looks_settled():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_rotated_key_has_the_same_powers(credentials: Credentials, tenant: Home, clock: Clock):
    old = credentials.create(
        tenant_id=tenant.id,
        user_id=7,
        scopes=["read"],
        name="report",
        expires_at=clock.now + timedelta(days=30),
    )
    clock.advance(days=10)
    new = stored(credentials, credentials.rotate(old[:-43], overlap=timedelta(hours=24)))
    assert (new.user_id, new.scopes, new.name) == (7, ("read",), "report")
    assert new.expires_at == clock.now + timedelta(days=30)
    assert stored(credentials, old).expires_at == clock.now + timedelta(hours=24)


def test_both_keys_open_during_the_overlap(
    credentials: Credentials, client: FlaskClient, tenant: Home, clock: Clock
):
    old = credentials.create(tenant_id=tenant.id, user_id=7)
    new = credentials.rotate(old[:-43], overlap=timedelta(hours=24))
    assert (status(client, old), status(client, new)) == (200, 200)
    clock.advance(hours=24)
    assert (status(client, old), status(client, new)) == (401, 200)


def test_rotation_never_lengthens_a_life(credentials: Credentials, tenant: Home, clock: Clock):
    ends_at = clock.now + timedelta(hours=1)
    old = credentials.create(tenant_id=tenant.id, user_id=7, expires_at=ends_at)
    credentials.rotate(old[:-43], overlap=timedelta(days=1))
    assert stored(credentials, old).expires_at == ends_at


@pytest.mark.parametrize("ended", [True, False])
def test_ended_key_is_never_rotated(credentials: Credentials, tenant: Home, ended: bool):
    key_id = f"crm{tenant.id}xaaaaaaaaaa"
    if ended:
        key_id = credentials.create(tenant_id=tenant.id, user_id=7)[:-43]
        credentials.revoke(key_id)
    with pytest.raises(EntityNotFound):
        credentials.rotate(key_id, overlap=timedelta(0))


def test_last_use_is_written_aside(
    app: Flask,
    client: FlaskClient,
    credentials: Credentials,
    tenant: Home,
    clock: Clock,
    statements: list[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(last_use, "BATCH_SECONDS", 0.0)
    key = credentials.create(tenant_id=tenant.id, user_id=7)
    assert stored(credentials, key).last_used_at is None
    statements.clear()
    assert status(client, key) == 200
    settle(lambda: stored(credentials, key).last_used_at == clock.now)
    assert not [sql for sql in statements if "UPDATE credentials" in sql]


def test_last_use_is_written_once_a_minute(credentials: Credentials, tenant: Home, clock: Clock):
    key = credentials.create(tenant_id=tenant.id, user_id=7)
    named = parse_key(key) or (0, "")
    for seconds, seen in ((0, 0), (59, 0), (1, 60), (30, 60)):
        clock.advance(seconds=seconds)
        credentials.record_use(*named, clock.now)
        used_at = stored(credentials, key).last_used_at
        assert used_at == stored(credentials, key).created_at + timedelta(seconds=seen)


def test_revoked_jwt_is_refused_within_a_second(app: Flask, client: FlaskClient, tenant: Home):
    headers = {"Authorization": f"Bearer {tenant.token(jti='j-1')}"}
    other = {"Authorization": f"Bearer {tenant.token(jti='j-2')}"}
    assert client.get(APEX, headers=headers).status_code == 200
    assert Revocations(app.extensions["database"]).revoke(tenant.id, "j-1")
    time.sleep(authenticator.RECHECK_SECONDS)
    assert client.get(APEX, headers=headers).status_code == 401
    assert client.get(APEX, headers=other).status_code == 200


def test_any_tenant_revokes_a_spanning_jwt(app: Flask, client: FlaskClient, tenant: Home):
    both = [tenant.id, 999_999_999]
    Revocations(app.extensions["database"]).revoke(tenant.id, "j")
    headers = {"Authorization": f"Bearer {tenant.token(organization_id=both, jti='j')}"}
    assert client.get(APEX, headers=headers).status_code == 401


def test_revocation_stays_in_its_tenant(app: Flask, client: FlaskClient, tenant: Home):
    Revocations(app.extensions["database"]).revoke(tenant.id + 500_000, "j")
    headers = {"Authorization": f"Bearer {tenant.token(jti='j')}"}
    assert client.get(APEX, headers=headers).status_code == 200


@pytest.mark.parametrize("jti", ["", "a" * 256, "a\0", "\ud800", 5, ["j"]])
def test_unusable_jti_is_refused(client: FlaskClient, tenant: Home, jti: object):
    headers = {"Authorization": f"Bearer {tenant.token(jti=jti)}"}
    expected = 200 if jti == "" else 401
    assert client.get(APEX, headers=headers).status_code == expected
