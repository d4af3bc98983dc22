"""Which credential of a request counts, and what it may do, in both dialects."""

import time
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.both_api import Both, not_found
from support.callers import Home
from support.clock import Clock
from support.deskera_api import FORBIDDEN, PLACE, UNAUTHORIZED, refused

from core.storage.credential_store import Credentials
from gateway.auth.authenticator import RECHECK_SECONDS

BASIC = "Basic Y2xpZW50OnNlY3JldA=="
ORDERS = {
    "deskera": ("x-access-token", "x-api-key", "Authorization"),
    "apex": ("x-api-key", "Authorization", "x-access-token"),
}


def caller_of(client: FlaskClient, reader: Both, dialect: str, headers: dict[str, str]) -> int:
    """Return as whom the headers create an activity, or the status of the refusal, negative."""
    path, body = (PLACE, {}) if dialect == "deskera" else ("/activities", {"subject": "a"})
    made = client.post(path, json=body, headers=headers)
    if made.status_code != 201:
        return -made.status_code
    return int(reader.deskera.read(made.json["id"])["created_by"])


@pytest.mark.parametrize("dialect", ORDERS)
def test_first_header_present_decides(client: FlaskClient, tenant: Home, dialect: str):
    reader = Both(client, tenant.caller(9).key)
    good = {
        "x-access-token": tenant.caller(1).key,
        "x-api-key": tenant.caller(2).key,
        "Authorization": f"Bearer {tenant.token(3)}",
    }
    users = {name: number for number, name in enumerate(good, 1)}
    for size in (1, 2, 3):
        for names in combinations(ORDERS[dialect], size):
            headers = {name: good[name] for name in names}
            assert caller_of(client, reader, dialect, headers) == users[names[0]], names
            spoilt = headers | {names[0]: good[names[0]] + "x"}
            assert caller_of(client, reader, dialect, spoilt) == -401, names


@pytest.mark.parametrize("dialect", ORDERS)
def test_each_kind_has_its_headers(client: FlaskClient, tenant: Home, dialect: str):
    reader = Both(client, tenant.caller(9).key)
    key, token = tenant.caller(1).key, tenant.token(1)
    kinds = {
        ("x-access-token", key): 1,
        ("x-access-token", token): 1,
        ("x-access-token", f" {key} "): 1,
        ("x-access-token", f"Bearer {token}"): -401,
        ("x-api-key", key): 1,
        ("x-api-key", token): -401,
        ("Authorization", f"Bearer {token}"): 1,
        ("Authorization", f"bearer {token}"): 1,
        ("Authorization", token): 1,
        ("Authorization", f"Bearer {key}"): 1,
        ("Authorization", BASIC): -401,
        ("Cookie", f"x-access-token={key}"): -401,
    }
    found = {case: caller_of(client, reader, dialect, dict([case])) for case in kinds}
    assert found == kinds


@pytest.mark.parametrize("dialect", ORDERS)
def test_basic_counts_for_nothing(client: FlaskClient, tenant: Home, dialect: str):
    reader = Both(client, tenant.caller(9).key)
    for name in ("x-access-token", "x-api-key"):
        headers = {"Authorization": BASIC, name: tenant.caller(1).key}
        assert caller_of(client, reader, dialect, headers) == 1
        headers[name] = "spoilt"
        assert caller_of(client, reader, dialect, headers) == -401


def test_claims_decide_in_both_dialects(client: FlaskClient, tenant: Home, clock: Clock):
    reader = Both(client, tenant.caller(9).key)
    nobody = {"sub": None, "organization_id": None}
    claims: list[tuple[dict[str, Any], int]] = [
        ({}, 1),
        ({"sub": 8}, 8),
        ({"sub": None, "userId": 7}, 7),
        ({"organization_id": None, "tenant_id": tenant.id}, 1),
        (nobody | {"userId": 126944, "user_name": f"126944:{tenant.id}"}, 126944),
        ({"organization_id": None}, -401),
        (nobody, -401),
        ({"organization_id": 999_999_999}, -401),
        ({"organization_id": "acme"}, -401),
        ({"organization_id": []}, -401),
        ({"sub": "me"}, -401),
        ({"exp": None}, -401),
        ({"exp": clock.now}, -401),
        ({"nbf": clock.now + timedelta(seconds=1)}, -401),
        ({"scope": "read"}, -403),
        ({"scope": ""}, -403),
    ]
    for given, expected in claims:
        token = tenant.token(1, **given)
        for dialect in ORDERS:
            for headers in ({"x-access-token": token}, {"Authorization": f"Bearer {token}"}):
                assert caller_of(client, reader, dialect, headers) == expected, given


def test_dead_keys_are_refused_everywhere(
    app: Flask, client: FlaskClient, tenant: Home, clock: Clock
):
    credentials: Credentials = app.extensions["credentials"]
    revoked, ends_at = tenant.caller(1).key, clock.now + timedelta(minutes=1)
    expired = credentials.create(tenant_id=tenant.id, user_id=1, expires_at=ends_at)
    persons = [Both(client, key) for key in (revoked, expired)]
    assert [person.apex.total() for person in persons] == [0, 0]
    assert [person.deskera.page() for person in persons] == [([], 0)] * 2
    assert credentials.revoke(revoked)
    clock.now = ends_at
    time.sleep(RECHECK_SECONDS)
    for person, reason in zip(persons, ("unknown", "expired"), strict=True):
        assert refused(person.deskera("GET")) == UNAUTHORIZED
        explanation = f"The credential in x-api-key is {reason}."
        assert person.apex("GET").json == {
            "name": "NotAuthenticated",
            "message": "Invalid API key",
            "code": 401,
            "className": "not-authenticated",
            "data": {"reason": reason, "explanation": explanation},
        }


def test_scopes_hold_in_both_dialects(client: FlaskClient, tenant: Home):
    forbidden = {"name": "Forbidden", "message": "Forbidden", "code": 403, "className": "forbidden"}
    allowed = {"read": ["GET"], "write": ["PUT", "PATCH", "DELETE"], "directory": [], "admin": []}
    for scope, methods in allowed.items():
        person = Both(client, tenant.caller(1, scope).key)
        for method in ("GET", "PUT", "DELETE"):
            answer = person.deskera(method, 1, json={})
            assert (answer.status_code == 404) == (method in methods)
            assert method in methods or refused(answer) == FORBIDDEN
        for method in ("GET", "PATCH", "DELETE"):
            body = None if method == "GET" else {}
            answer = person.apex(method, "/activities/1", json=body)
            lacking = "read" if method == "GET" else "write"
            data = {"explanation": f"The credential lacks the scope {lacking}."}
            refusal = forbidden | {"data": data}
            assert answer.json == (not_found(1) if method in methods else refusal)
