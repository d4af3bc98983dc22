"""From credentials to a principal: which header decides, keys, and what is remembered."""

import base64
import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Demo, Home
from support.clock import Clock
from support.own_servers import OwnServer

from core.storage import migrate
from core.storage.credential_store import Credentials
from core.storage.database import Database
from gateway.auth import authenticator
from gateway.auth.authenticator import credential_of

DESKERA, APEX = "/v1/crm/activities", "/activities"
BASIC = "Basic " + base64.b64encode(b"client:secret").decode()


def chosen(dialect: str, **environ: str) -> tuple[str, str]:
    """Return the header that decides and the credential in it."""
    headers = {f"HTTP_{name}": value for name, value in environ.items()}
    return credential_of(headers, authenticator.VENDOR_ORDER[dialect])


def test_vendor_decides_which_header_counts():
    every = {"X_ACCESS_TOKEN": "a", "X_API_KEY": "b", "AUTHORIZATION": "Bearer c"}
    assert chosen("deskera", **every) == ("HTTP_X_ACCESS_TOKEN", "a")
    assert chosen("achieveapex", **every) == ("HTTP_X_API_KEY", "b")
    del every["X_ACCESS_TOKEN"], every["X_API_KEY"]
    assert chosen("deskera", **every) == chosen("achieveapex", **every)


def test_bearer_comes_second_in_achieveapex():
    both = {"X_ACCESS_TOKEN": "a", "AUTHORIZATION": "Bearer c"}
    assert chosen("achieveapex", **both) == ("HTTP_AUTHORIZATION", "c")


@pytest.mark.parametrize("text", ["Bearer t", "bearer  t ", "JWT t", "jwt t", "t"])
def test_scheme_is_bearer_or_jwt_or_none(text: str):
    assert chosen("achieveapex", AUTHORIZATION=text) == ("HTTP_AUTHORIZATION", "t")


@pytest.mark.parametrize("text", ["", "Bearer", "Bearer ", BASIC, "Digest a=b"])
def test_other_schemes_count_as_absent(text: str):
    beside = {"AUTHORIZATION": text, "X_ACCESS_TOKEN": "a"}
    assert chosen("achieveapex", **beside) == ("HTTP_X_ACCESS_TOKEN", "a")


@pytest.mark.parametrize("path", [DESKERA, APEX, "/directory/user/1"])
def test_no_credential_is_401(client: FlaskClient, path: str):
    assert client.get(path).status_code == 401
    assert client.get(path, headers={"Authorization": BASIC}).status_code == 401


@pytest.mark.parametrize("path", [DESKERA, APEX])
@pytest.mark.parametrize("header", ["x-access-token", "x-api-key"])
def test_key_opens_both_dialects(client: FlaskClient, tenant: Home, path: str, header: str):
    key = tenant.caller().key
    assert client.get(path, headers={header: key}).status_code == 200


@pytest.mark.parametrize("path", [DESKERA, APEX])
@pytest.mark.parametrize("header", ["x-access-token", "Authorization"])
def test_jwt_opens_both_dialects(client: FlaskClient, tenant: Home, path: str, header: str):
    scheme = "Bearer " if header == "Authorization" else ""
    assert client.get(path, headers={header: scheme + tenant.token()}).status_code == 200


def test_first_header_decides_without_fallback(client: FlaskClient, tenant: Home):
    good, bad = tenant.caller().key, "crm1xaaaaaaaaaa" + "a" * 43
    assert (
        client.get(DESKERA, headers={"x-access-token": bad, "x-api-key": good}).status_code == 401
    )
    assert client.get(APEX, headers={"x-access-token": bad, "x-api-key": good}).status_code == 200


def test_basic_beside_token_is_ignored(client: FlaskClient, tenant: Home):
    headers = {"Authorization": BASIC, "x-access-token": tenant.caller().key}
    assert client.get(DESKERA, headers=headers).status_code == 200
    assert client.get(APEX, headers=headers).status_code == 200


@pytest.mark.parametrize("path", [DESKERA, APEX])
def test_key_is_a_bearer_token_too(client: FlaskClient, tenant: Home, path: str):
    headers = {"Authorization": f"Bearer {tenant.caller().key}"}
    assert client.get(path, headers=headers).status_code == 200


def test_jwt_is_no_api_key(client: FlaskClient, tenant: Home):
    token = tenant.token()
    assert client.get(APEX, headers={"Authorization": token}).status_code == 200
    answer = client.get(APEX, headers={"x-api-key": token})
    assert (answer.status_code, answer.json["message"]) == (401, "Invalid API key")


def test_deskera_never_says_why(client: FlaskClient, tenant: Home, clock: Clock):
    for token in ("nonsense", tenant.token(exp=clock.now), tenant.caller().key[:-1] + "é"):
        answer = client.get(DESKERA, headers={"x-access-token": token})
        assert answer.status_code == 401
        assert answer.json["errorMessage"] == "Could not validate the user"


@pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key + "A", str.swapcase])
def test_changed_key_is_refused(client: FlaskClient, tenant: Home, change: Callable[[str], str]):
    answer = client.get(APEX, headers={"x-api-key": change(tenant.caller().key)})
    assert (answer.status_code, answer.json["message"]) == (401, "Invalid API key")


def test_secret_of_another_key_is_refused(client: FlaskClient, tenant: Home):
    first, second = tenant.caller(1).key, tenant.caller(2).key
    mixed = first[:-43] + second[-43:]
    assert client.get(APEX, headers={"x-api-key": mixed}).status_code == 401


def test_missing_scope_is_403(client: FlaskClient, tenant: Home):
    reader = tenant.caller(1, "read")
    assert client.get(APEX, headers=reader.headers).status_code == 200
    refused = client.post(APEX, headers=reader.headers, json={"subject": "x"})
    assert (refused.status_code, refused.json["name"]) == (403, "Forbidden")
    refused = client.post(DESKERA, headers=reader.headers, json={"name": "x"})
    assert (refused.status_code, refused.json["httpStatus"]) == (403, "FORBIDDEN")


def test_preflight_needs_no_credential(client: FlaskClient):
    assert client.options(APEX).status_code < 400
    assert client.options(DESKERA).status_code < 400


def test_warm_request_costs_no_statement(client: FlaskClient, tenant: Home, statements: list[str]):
    for headers in (tenant.caller().headers, {"x-access-token": tenant.token()}):
        client.get(APEX, headers=headers)
        statements.clear()
        client.get(APEX, headers=headers)
        assert not any("credentials" in sql or "tenants.tenant_id IN" in sql for sql in statements)


def test_revoked_key_is_refused_soon(app: Flask, client: FlaskClient, tenant: Home):
    caller = tenant.caller()
    assert client.get(APEX, headers=caller.headers).status_code == 200
    credentials: Credentials = app.extensions["credentials"]
    assert credentials.revoke(caller.key)
    time.sleep(authenticator.RECHECK_SECONDS)
    assert client.get(APEX, headers=caller.headers).status_code == 401


def test_expired_key_is_refused_at_once(
    app: Flask, client: FlaskClient, tenant: Home, clock: Clock
):
    credentials: Credentials = app.extensions["credentials"]
    ends_at = clock.now.replace(hour=13)
    key = credentials.create(tenant_id=tenant.id, user_id=1, expires_at=ends_at)
    assert client.get(APEX, headers={"x-api-key": key}).status_code == 200
    clock.now = ends_at
    assert client.get(APEX, headers={"x-api-key": key}).status_code == 401


def test_expired_jwt_is_refused_at_once(client: FlaskClient, tenant: Home, clock: Clock):
    headers = {"Authorization": f"Bearer {tenant.token()}"}
    assert client.get(APEX, headers=headers).status_code == 200
    clock.advance(hours=1)
    answer = client.get(APEX, headers=headers)
    assert answer.json["message"] == "jwt expired"
    assert answer.json["data"] == {
        "name": "TokenExpiredError",
        "expiredAt": "2026-03-01T13:00:00.000Z",
        "reason": "expired",
        "explanation": "The credential in Authorization is expired.",
    }


def test_unknown_tenants_are_dropped(client: FlaskClient, tenant: Home):
    some = tenant.token(organization_id=[tenant.id, 999_999_999])
    none = tenant.token(organization_id=[999_999_998, 999_999_999])
    assert client.get(APEX, headers={"Authorization": some}).status_code == 200
    assert client.get(APEX, headers={"Authorization": none}).status_code == 401


def test_demo_token_is_a_key(client: FlaskClient, demo: Demo):
    answer = client.get(DESKERA, headers={"x-access-token": "sampleaccesstoken"})
    assert answer.json["paginationInfo"]["totalRecords"] == 3


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "192.0.2.1"},
        {"REMOTE_ADDR": ""},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
    ],
)
@pytest.mark.parametrize("path", [DESKERA, APEX])
def test_demo_token_stays_at_home(
    client: FlaskClient, demo: Demo, path: str, environ: dict[str, str]
):
    headers = {"x-access-token": "sampleaccesstoken"}
    assert client.get(path, headers=headers, environ_overrides=environ).status_code == 401


def test_dead_database_is_503_not_401(
    make_app: Callable[..., Flask], own_postgres: OwnServer, tenant: Home
):
    database = Database(own_postgres.url)
    migrate.upgrade(database)
    database.close()
    client = make_app(database_url=own_postgres.url).test_client()
    own_postgres.stop()
    key = tenant.caller().key
    assert client.get(DESKERA, headers={"x-access-token": key}).status_code == 503
    answer = client.get(APEX, headers={"Authorization": f"Bearer {tenant.token()}"})
    assert (answer.status_code, answer.json["name"]) == (503, "Unavailable")


def test_few_credentials_are_remembered(
    app: Flask, client: FlaskClient, tenant: Home, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(authenticator, "MAX_REMEMBERED", 3)
    for user_id in range(1, 9):
        headers = {"Authorization": tenant.token(user_id)}
        assert client.get(APEX, headers=headers).status_code == 200


def recalled(app: Flask, client: FlaskClient, token: str, **options: bool) -> list[bool]:
    """Return whether a token that was just taken, but is due, is known to two hits in a row."""
    assert client.get(DESKERA, headers={"x-access-token": token}).status_code == 200
    environ = {"HTTP_X_ACCESS_TOKEN": token}
    return [app.extensions["recall"](environ, "deskera", **options) is not None for _ in range(2)]


def test_what_can_be_revoked_is_read_again(
    app: Flask, client: FlaskClient, tenant: Home, monkeypatch: pytest.MonkeyPatch
):
    for name in ("RECHECK_SECONDS", "TOKEN_RECHECK_SECONDS"):
        monkeypatch.setattr(authenticator, name, 0)
    assert recalled(app, client, tenant.token(), reads_tenant=True) == [True, True]
    assert recalled(app, client, tenant.token()) == [False, True]
    several = tenant.token(organization_id=[tenant.id, tenant.id + 1])
    for token in (
        tenant.token(jti="revocable"),
        tenant.token(jti=""),
        several,
        tenant.caller().key,
    ):
        assert recalled(app, client, token, reads_tenant=True) == [False, True]


def test_plain_token_ends_at_its_end(
    app: Flask, client: FlaskClient, tenant: Home, monkeypatch: pytest.MonkeyPatch, clock: Clock
):
    monkeypatch.setattr(authenticator, "TOKEN_RECHECK_SECONDS", 0)
    token = tenant.token()
    assert recalled(app, client, token, reads_tenant=True) == [True, True]
    clock.advance(days=2)
    environ = {"HTTP_X_ACCESS_TOKEN": token}
    assert app.extensions["recall"](environ, "deskera", reads_tenant=True) is None
