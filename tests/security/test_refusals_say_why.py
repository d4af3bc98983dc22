"""401 and 403 tell apart what went wrong, and nothing about anybody else."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from support.callers import Home
from support.clock import Clock

from core.domain.errors import Forbidden, NotAuthenticated
from gateway.auth.authenticator import HEADER_NAMES, VENDOR_ORDER

APEX = "/activities"


@pytest.fixture
def refusal(app: Flask) -> Callable[..., NotAuthenticated | Forbidden]:
    """Give a function that makes a request and returns the error behind its answer."""
    seen: list[NotAuthenticated | Forbidden] = []

    def keep(error: NotAuthenticated | Forbidden) -> tuple[str, int]:
        seen.append(error)
        return "", 401

    for kind in (NotAuthenticated, Forbidden):
        for handlers in app.error_handler_spec.values():
            handlers[None][kind] = keep

    def ask(path: str = APEX, method: str = "GET", **headers: str) -> NotAuthenticated | Forbidden:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        app.test_client().open(path, method=method, headers=named, json={"subject": "x"})
        return seen[-1]

    return ask


Ask = Callable[..., NotAuthenticated]


def test_missing_credential_names_every_header(refusal: Ask):
    error = refusal()
    assert error.reason == "missing"
    expected = "There is no credential in x-api-key, Authorization, x-access-token."
    assert error.explanation == expected


def test_malformed_credential_names_its_header(refusal: Ask):
    error = refusal(x_api_key="nonsense")
    assert (error.reason, error.sources) == ("malformed", ("x-api-key",))
    assert error.explanation == "The credential in x-api-key is malformed."
    error = refusal(Authorization="Bearer nonsense")
    assert (error.reason, error.sources) == ("malformed", ("x-api-key", "Authorization"))


def test_expired_credentials_are_told(app: Flask, refusal: Ask, tenant: Home, clock: Clock):
    ends_at = clock.now + timedelta(hours=1)
    key = app.extensions["credentials"].create(tenant_id=tenant.id, user_id=1, expires_at=ends_at)
    token = tenant.token()
    early = tenant.token(nbf=ends_at + timedelta(hours=1), exp=ends_at + timedelta(hours=2))
    clock.now = ends_at
    assert refusal(x_api_key=key).reason == "expired"
    assert refusal(x_access_token=token).reason == "expired"
    assert refusal(x_access_token=early).reason == "not yet valid"


def test_others_keys_are_all_unknown(app: Flask, refusal: Ask, tenant: Home, clock: Clock):
    """A guesser learns neither whether a key exists nor whether its tenant does."""
    credentials = app.extensions["credentials"]
    expired = credentials.create(
        tenant_id=tenant.id, user_id=1, expires_at=clock.now + timedelta(seconds=1)
    )
    clock.advance(seconds=1)
    revoked = tenant.caller().key
    credentials.revoke(revoked)
    guesses = [
        tenant.caller().key[:-43] + "a" * 43,
        expired[:-43] + "a" * 43,
        revoked[:-43] + "a" * 43,
        revoked,
        f"crm{tenant.id}xaaaaaaaaaa" + "a" * 43,
        "crm999999999xaaaaaaaaaa" + "a" * 43,
    ]
    errors = [refusal(x_api_key=guess) for guess in guesses]
    assert {(error.reason, error.public_message, error.explanation) for error in errors} == {
        ("unknown", "Invalid API key", "The credential in x-api-key is unknown.")
    }
    for tenants in (999_999_998, [999_999_997, 999_999_998]):
        assert refusal(x_access_token=tenant.token(organization_id=tenants)).reason == "unknown"


def test_missing_scope_is_named(refusal: Callable[..., Forbidden], tenant: Home):
    error = refusal(APEX, "POST", x_api_key=tenant.caller(1, "read").key)
    assert error.missing_scope == "write"
    assert error.explanation == "The credential lacks the scope write."


def test_log_tells_what_the_client_is_not(
    app: Flask, tenant: Home, capfd: pytest.CaptureFixture[str]
):
    key = tenant.caller().key
    app.extensions["credentials"].revoke(key)
    app.test_client().get(APEX, headers={"x-api-key": key})
    line = capfd.readouterr().out
    assert f"unknown in x-api-key: {key[:-43]} is revoked" in line
    assert key[-43:] not in line


def test_every_header_has_a_name():
    assert {name for order in VENDOR_ORDER.values() for name in order} == set(HEADER_NAMES)
