"""What Deskera's dialect refuses through the whole service: every status, in one body's shape."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Home
from support.clock import Clock
from support.deskera_api import (
    BEYOND,
    BULK_DELETE,
    BULK_UPDATE,
    CHANGES,
    FORBIDDEN,
    HAS_CHANGED,
    KEY_REUSED,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    OPERATIONS,
    PLACE,
    READS,
    UNAUTHORIZED,
    USER,
    Api,
    fields_of,
    refusal,
    refused,
)
from werkzeug.test import TestResponse

METHODS = {
    PLACE: (["PUT", "PATCH", "DELETE", "TRACE", "FOO"], {"GET", "HEAD", "OPTIONS", "POST"}),
    f"{PLACE}/1": (["POST", "PATCH"], {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}),
    BULK_UPDATE: (["GET", "HEAD", "POST", "PUT", "DELETE"], {"OPTIONS", "PATCH"}),
    BULK_DELETE: (["GET", "PATCH", "PUT", "DELETE"], {"OPTIONS", "POST"}),
}
"""Of every path, methods that are refused and those that are allowed."""
BY_ID = ["GET", "PUT", "DELETE"]
IMPOSSIBLE_IDS = [
    *("0", "-1", "+1", "1.0", "1e0", "0x1", "abc", "%20", "1%00", "1;x", "%D9%A1"),
    *("9" * 16, f"{BEYOND}", "9" * 400),
]


def sent(call: Api, operation: tuple[str, str | int, Any], **options: Any) -> TestResponse:
    """Make a call of the table, with its body if it has one."""
    method, path, body = operation
    return call(method, path, **({} if body is None else {"json": body}), **options)


def test_bad_credential_is_unauthorized(client: FlaskClient):
    for key in ("", " ", "nonsense", "sampleaccesstoken!", "Bearer x", "é"):
        for operation in OPERATIONS:
            answer = sent(Api(client, key), operation)
            assert refused(answer) == UNAUTHORIZED
            assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(("scope", "refusing"), [("read", CHANGES), ("write", READS)])
def test_missing_scope_is_forbidden(
    call: Api, client: FlaskClient, tenant: Home, scope: str, refusing: list
):
    call.create(name="kept")
    limited = Api(client, tenant.caller(USER, scope).key)
    for operation in refusing:
        assert refused(sent(limited, operation)) == FORBIDDEN
    assert call.read(1)["name"] == "kept"


def test_impossible_id_is_not_found(call: Api):
    call.create()
    for raw in IMPOSSIBLE_IDS:
        for method in BY_ID:
            answer = call(method, f"{PLACE}/{raw}", json={"name": "a"})
            assert refused(answer) == NOT_FOUND, raw


def test_hidden_activities_are_not_found(call: Api, client: FlaskClient, tenant: Home):
    other = Api(client, tenant.caller(USER + 1).key)
    private = other.create(visibility_type="private")
    deleted = call.create()
    call("DELETE", deleted)
    for hidden in (private, deleted, 999, BEYOND - 1):
        for method in BY_ID:
            assert refused(call(method, hidden, json={"name": "a"})) == NOT_FOUND
    assert other.read(private)["name"] == ""


def test_unknown_paths_are_not_found(call: Api):
    for path in (f"{PLACE}/1/notes", f"{PLACE}//1", "/v1/crm/contacts", "/v1/crm"):
        assert refused(call("GET", path)) == refusal(404, "NOT_FOUND", "Not Found"), path


def test_wrong_method_names_allowed_ones(call: Api):
    for path, (methods, allowed) in METHODS.items():
        for method in methods:
            answer = call(method, path, json={})
            assert method == "HEAD" or refused(answer) == METHOD_NOT_ALLOWED
            assert (answer.status_code, {*answer.headers["Allow"].split(", ")}) == (405, allowed)


def test_odd_idempotency_key_is_refused(call: Api):
    for key in ("", "k" * 256):
        answer = call("POST", json={}, headers={"Idempotency-Key": key})
        assert fields_of(answer) == (400, ["Idempotency-Key"])
    assert call.page() == ([], 0)


def test_reused_key_is_a_conflict(call: Api):
    headers = {"Idempotency-Key": "k" * 255}
    assert call("POST", json={"name": "a"}, headers=headers).status_code == 201
    for other in ({"name": "b"}, {}, {"name": "a", "unknown": None}):
        assert refused(call("POST", json=other, headers=headers)) == KEY_REUSED
    assert call.page() == ([1], 1)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_changed_activity_is_not_touched(call: Api, method: str):
    call.create()
    headers = {"If-Match": call("GET", 1).headers["ETag"]}
    call("PUT", 1, json={"name": "between"})
    assert refused(call(method, 1, json={"name": "after"}, headers=headers)) == HAS_CHANGED
    assert call.read(1)["name"] == "between"


def test_unexpected_error_tells_nothing(make_app: Callable[..., Flask], tenant: Home):
    app = make_app()

    @app.before_request
    def fail() -> None:
        raise ZeroDivisionError("the inside")

    call = Api(app.test_client(), tenant.caller(USER).key)
    for operation in OPERATIONS:
        expected = refusal(500, "INTERNAL_SERVER_ERROR", "Internal Server Error")
        assert refused(sent(call, operation)) == expected


def test_lost_database_is_unavailable(make_app: Callable[..., Flask], tenant: Home):
    app = make_app(database_url="postgresql://nobody@127.0.0.1:1/none", redis_url="none")
    text = "The service is unavailable for the moment. Try again later."
    for credential in (tenant.caller(USER).key, tenant.token(USER)):
        answer = Api(app.test_client(), credential)("GET")
        assert refused(answer) == refusal(503, "SERVICE_UNAVAILABLE", text)


def test_every_answer_has_its_headers(call: Api, client: FlaskClient, clock: Clock):
    call.create()
    etag = call("GET", 1).headers["ETag"]
    answers = {
        200: call("GET", headers={"X-Request-Id": "mine"}),
        201: call("POST", json={}, headers={"X-Request-Id": "mine"}),
        304: call("GET", 1, headers={"X-Request-Id": "mine", "If-None-Match": etag}),
        400: call("POST", data=b"{", headers={"X-Request-Id": "mine"}),
        401: client.get(PLACE, headers={"X-Request-Id": "mine"}),
        404: call("GET", 9, headers={"X-Request-Id": "mine"}),
        405: call("PATCH", headers={"X-Request-Id": "mine"}),
        412: call("PUT", 1, json={}, headers={"X-Request-Id": "mine", "If-Match": '"0-0"'}),
        413: call("POST", data=b" " * 2**21, headers={"X-Request-Id": "mine"}),
        204: call("DELETE", 1, headers={"X-Request-Id": "mine"}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["Vary"] == "x-access-token, x-api-key, Authorization"
        assert answer.headers["X-Request-Id"] == "mine"
        assert status in (204, 304) or answer.content_type.startswith("application/json")


def test_unusable_request_id_is_replaced(call: Api):
    for given in ("x" * 129, "a\tb", "é", ""):
        shown = call("GET", headers={"X-Request-Id": given}).headers["X-Request-Id"]
        assert (len(shown), shown.isalnum(), shown == given) == (32, True, False)


def test_other_paths_get_edge_errors(call: Api):
    for path in ("/v1", "/swagger.json", "/v1/iam/users/1", "/v1/crms", "/v2/crm", "/activitiesx"):
        for method in ("GET", "POST", "DELETE"):
            answer = call(method, path, json={})
            body = {"status": "error", "code": 404, "message": "Not Found", "requestPath": path}
            assert (answer.status_code, list(answer.json.items())) == (404, list(body.items()))
        assert (call("HEAD", path).status_code, call("HEAD", path).get_data()) == (404, b"")
