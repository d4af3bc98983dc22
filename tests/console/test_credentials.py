"""Keys through the console: made once, listed, rotated, revoked, and never another tenant's."""

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Home
from support.clock import Clock
from support.console_visitor import ADMIN, Visitor

from core.domain.model import Tenant
from core.storage.credential_store import Credential, Credentials
from core.storage.database import Database
from core.storage.tenant_store import Tenants

LIST, NEW = "/console/credentials", "/console/credentials/new"
SECRET = re.compile(r'<code id="secret">([^<]+)</code>')
USUAL = {"name": "Sync", "user_id": "7", "scopes": ["read", "write"], "lifetime": "30"}


@pytest.fixture
def keys(database: Database, clock: Clock) -> Credentials:
    """Give the keys that the pages change."""
    return Credentials(database, clock)


def id_of(key: str) -> str:
    """Return the public part of a key."""
    return key[:-43]


def found(keys: Credentials, tenant: Home, key: str) -> Credential:
    """Return what is stored of a key."""
    stored = keys.find(tenant.id, id_of(key))
    assert stored is not None
    return stored


def opens(client: FlaskClient, key: str) -> bool:
    """Return whether a key opens the AchieveApex dialect."""
    return client.get("/activities", headers={"x-api-key": key}).status_code == 200


def test_new_key_is_shown_once(admin: Visitor, tenant: Home, keys: Credentials, clock: Clock):
    page = admin.submit(NEW, form=NEW, **USUAL)
    (key,) = SECRET.findall(page.text)
    assert opens(admin.client, key)
    stored = found(keys, tenant, key)
    assert (stored.user_id, stored.scopes, stored.name) == (7, ("read", "write"), "Sync")
    assert stored.expires_at == clock.now + timedelta(days=30)
    listed = admin.get(LIST).text
    assert id_of(key) in listed
    assert key not in listed


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("user_id", "", "user_id"),
        ("user_id", "0", "user_id"),
        ("user_id", "x", "user_id"),
        ("user_id", str(2**53), "user_id"),
        ("scopes", [], "scopes"),
        ("scopes", ["root"], "scopes"),
        ("name", "n" * 101, "name"),
        ("name", "a\x07b", "name"),
        ("lifetime", "1000", "lifetime"),
        ("ends_on", "2001-01-01", "ends_on"),
        ("ends_on", "", "ends_on"),
        ("ends_on", "tomorrow", "ends_on"),
    ],
)
def test_mistakes_are_told_beside_their_fields(
    admin: Visitor, tenant: Home, keys: Credentials, field: str, value: str, place: str
):
    given = {**USUAL, field: value} | ({"lifetime": "date"} if field == "ends_on" else {})
    page = admin.submit(NEW, form=NEW, **given)
    assert page.status_code == 400
    assert f'class="field-error" id="{place}-error"' in page.text
    assert len(keys.of_tenant(tenant.id, limit=10)) == 1


def test_keys_may_end_on_a_day(admin: Visitor, tenant: Home, keys: Credentials):
    page = admin.submit(NEW, form=NEW, **{**USUAL, "lifetime": "date", "ends_on": "2099-05-01"})
    stored = found(keys, tenant, SECRET.findall(page.text)[0])
    assert str(stored.expires_at) == "2099-05-01 00:00:00+00:00"
    endless = admin.submit(NEW, form=NEW, **{**USUAL, "lifetime": "never"})
    assert found(keys, tenant, SECRET.findall(endless.text)[0]).expires_at is None


def test_both_keys_open_after_a_rotation(
    admin: Visitor, tenant: Home, keys: Credentials, clock: Clock
):
    old = tenant.caller(7, "read", "write").key
    path = f"{LIST}/{id_of(old)}/rotate"
    page = admin.submit(path, form=path, overlap="1h")
    (new,) = SECRET.findall(page.text)
    assert opens(admin.client, old)
    assert opens(admin.client, new)
    assert found(keys, tenant, old).expires_at == clock.now + timedelta(hours=1)
    assert admin.submit(path, form=path, overlap="forever").status_code == 400


def test_revoked_key_opens_nothing(make_app: Callable[..., Flask], tenant: Home, admin: Visitor):
    key = tenant.caller(7).key
    path = f"{LIST}/{id_of(key)}/revoke"
    assert "cannot be undone" in admin.get(path).text
    assert admin.submit(path, form=path).location == f"{LIST}?tenant={tenant.id}"
    listed = admin.get(LIST).text
    assert f"The key {id_of(key)} is revoked" in listed
    assert '<span class="badge bad">revoked</span>' in listed
    assert not opens(make_app().test_client(), key)
    assert admin.submit(path, form=path).status_code == 303


def test_revoking_the_own_key_ends_the_session(app: Flask, tenant: Home):
    key = tenant.caller(1, *ADMIN).key
    visitor = Visitor(app)
    visitor.log_in(key)
    path = f"{LIST}/{id_of(key)}/revoke"
    assert "You are logged in by this key" in visitor.get(path).text
    assert visitor.submit(path, form=path).status_code == 303
    assert visitor.get(LIST).location.startswith("/console/login?")


def test_rotating_an_ended_key_tells_so(admin: Visitor, tenant: Home, keys: Credentials):
    key = tenant.caller(7).key
    path = f"{LIST}/{id_of(key)}/rotate"
    token = admin.token(path)
    keys.revoke(key)
    assert admin.client.post(path, data={"csrf_token": token, "overlap": "0"}).status_code == 303
    assert "Nothing was done" in admin.get(LIST).text


def test_jwt_is_revoked_by_its_id(admin: Visitor, tenant: Home, make_app: Callable[..., Flask]):
    token = tenant.token(jti="known")
    path = f"{LIST}/tokens"
    assert admin.submit(path, form=LIST, token_id="").status_code == 400
    assert admin.submit(path, form=LIST, token_id="known").status_code == 303
    assert not opens(make_app().test_client(), token)


def test_foreign_keys_are_never_met(
    admin: Visitor, tenant: Home, database: Database, keys: Credentials
):
    foreign = tenant.id + 700_000_000
    Tenants(database).create(Tenant(foreign, "Foreign", "UTC", "UTC"))
    key = keys.create(tenant_id=foreign, user_id=1, name="theirs")
    assert admin.get(f"{LIST}?tenant={foreign}").status_code == 404
    assert admin.submit(f"{NEW}?tenant={foreign}", form=NEW, **USUAL).status_code == 404
    for action in ("rotate", "revoke"):
        path = f"{LIST}/{id_of(key)}/{action}"
        assert admin.get(path).status_code == 404
        assert admin.submit(path, form=NEW, overlap="0").status_code == 404
    assert opens(admin.client, key)
    assert len(keys.of_tenant(foreign, limit=10)) == 1


@pytest.mark.parametrize("key_id", ["nonsense", "crm1xabcdefghij", "x" * 300])
def test_unknown_keys_are_not_found(admin: Visitor, key_id: str):
    assert admin.get(f"{LIST}/{key_id}/revoke").status_code == 404


def test_whole_keys_are_no_ids(admin: Visitor, tenant: Home):
    assert admin.get(f"{LIST}/{tenant.caller().key}/revoke").status_code == 404


def test_long_lists_come_in_pages(admin: Visitor, tenant: Home, keys: Credentials, clock: Clock):
    for number in range(55):
        clock.now += timedelta(seconds=1)
        keys.create(tenant_id=tenant.id, user_id=1, name=f"Key {number:02}")
    first, second = admin.get(LIST).text, admin.get(f"{LIST}?page=2").text
    assert (first.count("Key "), second.count("Key ")) == (50, 5)
    assert "Key 54" in first
    assert 'rel="next"' in first
    assert 'rel="next"' not in second
    assert admin.get(f"{LIST}?find=key%2007").text.count("Key ") == 1
    assert "No key here has" in admin.get(f"{LIST}?find=nothing").text
    for number in ("0", "-1", "x", "1001", "9" * 30):
        assert admin.get(f"{LIST}?page={number}").status_code == 404


def test_keys_show_their_last_use(app: Flask, admin: Visitor, tenant: Home, keys: Credentials):
    key = tenant.caller(9).key
    keys.record_use(tenant.id, id_of(key), app.extensions["clock"]())
    row = admin.get(LIST).text.partition(f"<code>{id_of(key)}</code>")[2].partition("</tr>")[0]
    assert row.count("<time ") == 2  # Its last use, and when it was made.


def test_changes_are_logged_without_secrets(admin: Visitor, capfd: pytest.CaptureFixture[str]):
    (key,) = SECRET.findall(admin.submit(NEW, form=NEW, **USUAL).text)
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    (told,) = [line for line in lines if line["event"] == "key created"]
    assert (told["key"], told["user"]) == (id_of(key), 1)
    assert key not in json.dumps(lines)
