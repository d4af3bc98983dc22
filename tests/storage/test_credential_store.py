"""Opaque keys: their form, and the table that knows their hashes."""

from datetime import timedelta

import pytest
from support.callers import Demo, Home
from support.clock import Clock

from core.domain.errors import EntityNotFound, InvalidEntity
from core.storage.credential_store import (
    DEMO_TOKEN,
    Credentials,
    checked_scopes,
    parse_key,
    parse_key_id,
)
from core.storage.database import Database
from core.transfer import demo as demo_data

KEY_ID = "crm27xabcdefgh27"
SECRET = "A-_9" * 10 + "xyz"


@pytest.fixture
def credentials(database: Database, clock: Clock) -> Credentials:
    """Give the keys, as the standing clock sees them."""
    return Credentials(database, clock)


def test_key_names_tenant_and_id():
    assert parse_key(KEY_ID + SECRET) == (27, KEY_ID)
    assert parse_key(DEMO_TOKEN) == (64797, "sampleaccess")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "sampleaccess",
        "sampleaccesstokens",
        KEY_ID,
        KEY_ID + SECRET[1:],
        KEY_ID + SECRET + "x",
        KEY_ID + SECRET + "\n",
        KEY_ID.upper() + SECRET,
        KEY_ID.replace("27x", "0x") + SECRET,
        KEY_ID.replace("27x", "٢٧x") + SECRET,
        KEY_ID.replace("abc", "ab1") + SECRET,
        KEY_ID + SECRET.replace("_", "="),
    ],
)
def test_other_texts_are_no_keys(token: str):
    assert parse_key(token) is None


def test_id_is_read_from_public_part():
    assert parse_key_id(KEY_ID) == (27, KEY_ID)
    assert parse_key_id("sampleaccess") == (64797, "sampleaccess")
    assert parse_key_id(KEY_ID + SECRET) == (27, KEY_ID)
    assert parse_key_id("sample") is None


def test_created_key_is_found(credentials: Credentials, tenant: Home):
    token = credentials.create(tenant_id=tenant.id, user_id=7)
    named = parse_key(token)
    assert named is not None
    found = credentials.find(*named)
    assert found is not None
    assert (found.user_id, found.scopes, found.revoked_at) == (7, ("read", "write"), None)
    assert found.opens_with(token)
    assert not found.opens_with(token[:-1] + ("a" if token[-1] != "a" else "b"))


def test_secret_is_never_stored(credentials: Credentials, database: Database, tenant: Home):
    token = credentials.create(tenant_id=tenant.id, user_id=7)
    with database.transaction() as connection:
        stored = connection.exec_driver_sql("SELECT credentials::TEXT FROM credentials").all()
    assert token[-43:] not in str(stored)
    assert token[:-43] in str(stored)


def test_unknown_key_is_not_found(credentials: Credentials, tenant: Home):
    assert credentials.find(tenant.id, f"crm{tenant.id}xaaaaaaaaaa") is None


def test_key_ends_when_it_expires(credentials: Credentials, tenant: Home, clock: Clock):
    token = credentials.create(
        tenant_id=tenant.id, user_id=7, expires_at=clock.now + timedelta(minutes=1)
    )
    found = credentials.find(*(parse_key(token) or (0, "")))
    assert found is not None
    assert found.is_active(clock.now)
    assert not found.is_active(clock.advance(minutes=1))


def test_key_is_revoked_once(credentials: Credentials, tenant: Home, clock: Clock):
    token = credentials.create(tenant_id=tenant.id, user_id=7)
    assert credentials.revoke(token[:-43])
    assert not credentials.revoke(token[:-43])
    assert [key.is_active(clock.now) for key in credentials.list() if key.opens_with(token)] == [
        False
    ]


def test_revoking_nothing_is_said(credentials: Credentials, tenant: Home):
    assert not credentials.revoke("no such key")
    assert not credentials.revoke(f"crm{tenant.id}xaaaaaaaaaa")


def test_impossible_keys_are_refused(credentials: Credentials, tenant: Home, clock: Clock):
    with pytest.raises(InvalidEntity, match="user_id"):
        credentials.create(tenant_id=tenant.id, user_id=0)
    with pytest.raises(InvalidEntity, match="expires_at"):
        credentials.create(tenant_id=tenant.id, user_id=7, expires_at=clock.now)
    with pytest.raises(EntityNotFound):
        credentials.create(tenant_id=999_999, user_id=7)


@pytest.mark.parametrize("scopes", [[], ["root"], ["read", "root"]])
def test_unknown_scopes_are_refused(scopes: list[str]):
    with pytest.raises(InvalidEntity, match="scopes"):
        checked_scopes(scopes)


def test_scopes_come_in_one_order():
    assert checked_scopes(["admin", "read", "read"]) == ("read", "admin")


def test_demo_key_works_until_revoked(demo: Demo, database: Database, credentials: Credentials):
    assert demo_data.demo_key_is_active(database)
    credentials.revoke("sampleaccess")
    demo_data.load_demo(database)
    assert not demo_data.demo_key_is_active(database)
