"""/directory: upstream systems push entities."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from support.callers import Caller, Demo, Home
from werkzeug.test import TestResponse

CONTACT = "/directory/contact/456"


@pytest.fixture
def upstream(tenant: Home) -> Caller:
    """Give a system that may write this tenant's directory."""
    return tenant.caller(1, "directory")


@pytest.fixture
def call(client: FlaskClient, upstream: Caller) -> Callable[..., TestResponse]:
    """Give a function that makes a call as the upstream system."""

    def call(method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        options.setdefault("headers", upstream.headers)
        return client.open(path, method=method, data=data, **options)

    return call


def wrong_fields(response: TestResponse) -> list[str]:
    """Return the fields that a 400 names."""
    assert response.status_code == 400
    assert response.json is not None
    return [error["field"] for error in response.json["errors"]]


def lines(*records: dict[str, Any]) -> bytes:
    """Return records as NDJSON."""
    return b"\n".join(orjson.dumps(record) for record in records)


def user(user_id: int, **fields: Any) -> dict[str, Any]:
    """Return the record of a user."""
    return {"kind": "user", "id": user_id, "first_name": "A", "last_name": "B", **fields}


def test_put_makes_then_replaces(call: Callable[..., TestResponse], tenant: Home):
    made = call("PUT", CONTACT, {"name": "Alex", "email": "a@example.com"})
    assert (made.status_code, made.json["email"]) == (201, "a@example.com")
    replaced = call("PUT", CONTACT, {"name": "Alexa"})
    assert (replaced.status_code, replaced.json["email"]) == (200, None)
    assert call("GET", CONTACT).json == {
        "kind": "contact",
        "tenant_id": tenant.id,
        "id": 456,
        "name": "Alexa",
        "email": None,
        "phone": None,
        "country_code": None,
        "address": None,
        "label": None,
        "logo": None,
        "company_id": None,
    }


def test_delete_removes_once(call: Callable[..., TestResponse]):
    call("PUT", CONTACT, {"name": "Alex"})
    assert call("DELETE", CONTACT).status_code == 204
    assert call("DELETE", CONTACT).status_code == 404
    assert call("GET", CONTACT).status_code == 404
    assert call("PUT", CONTACT, {"name": "Alex"}).status_code == 201


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ["body"]),
        (b"[]", ["body"]),
        ({}, ["name"]),
        ({"name": 3, "zip": "1"}, ["name", "zip"]),
        ({"name": "a\0"}, ["name"]),
        ({"name": "A", "id": 457}, ["id"]),
        ({"name": "A", "kind": "user"}, ["kind"]),
        ({"name": "A", "company_id": 0}, ["company_id"]),
    ],
)
def test_wrong_bodies_are_named(call: Callable[..., TestResponse], body: Any, fields: list[str]):
    assert wrong_fields(call("PUT", CONTACT, body)) == fields


@pytest.mark.parametrize(
    "path", ["/directory/tenant/1", "/directory/activity/1", "/directory/user/x", "/directory/user"]
)
def test_other_paths_are_unknown(call: Callable[..., TestResponse], path: str):
    response = call("GET", path)
    assert response.status_code == 404
    assert response.json["requestPath"] == path


@pytest.mark.parametrize("wrong_id", [0, 2**53])
def test_ids_beyond_bounds_are_refused(call: Callable[..., TestResponse], wrong_id: int):
    assert wrong_fields(call("GET", f"/directory/user/{wrong_id}")) == ["id"]


def test_errors_have_the_shape_of_the_edge(call: Callable[..., TestResponse]):
    assert call("GET", CONTACT).json == {
        "status": "error",
        "code": 404,
        "message": "Not found",
        "requestPath": CONTACT,
    }


def test_scope_directory_is_required(call: Callable[..., TestResponse], tenant: Home):
    everything_else = tenant.caller(1, "read", "write", "admin")
    for method in ("GET", "PUT", "DELETE"):
        assert call(method, CONTACT, {}, headers=everything_else.headers).status_code == 403
    assert call("POST", "/directory", b"", headers=everything_else.headers).status_code == 403


def test_credential_is_required(call: Callable[..., TestResponse]):
    assert call("GET", CONTACT, headers={}).status_code == 401


@pytest.mark.parametrize("header", ["x-access-token", "x-api-key"])
def test_either_header_opens(call: Callable[..., TestResponse], upstream: Caller, header: str):
    assert call("PUT", CONTACT, {"name": "A"}, headers={header: upstream.key}).status_code == 201


def test_bearer_token_opens(call: Callable[..., TestResponse], tenant: Home):
    headers = {"Authorization": f"Bearer {tenant.token(scope='directory')}"}
    assert call("PUT", CONTACT, {"name": "A"}, headers=headers).status_code == 201


def test_foreign_tenant_is_refused(call: Callable[..., TestResponse], tenant: Home):
    foreign = tenant.id + 1
    assert call("GET", f"{CONTACT}?tenant_id={foreign}").status_code == 403
    assert call("PUT", CONTACT, {"name": "A", "tenant_id": foreign}).status_code == 403
    body = lines(user(1), {**user(2), "tenant_id": foreign})
    assert call("POST", "/directory", body).status_code == 403
    assert call("GET", "/directory/user/1").status_code == 404


def test_tenant_is_named_where_several_are_possible(
    call: Callable[..., TestResponse], demo: Demo, tenant: Home
):
    both = [demo.apex.tenant_id, demo.deskera.tenant_id]
    token = tenant.token(organization_id=both, scope="directory")
    headers = {"Authorization": f"Bearer {token}"}
    assert wrong_fields(call("GET", CONTACT, headers=headers)) == ["tenant_id"]
    assert wrong_fields(call("PUT", CONTACT, {"name": "A"}, headers=headers)) == ["tenant_id"]
    named = call("GET", f"{CONTACT}?tenant_id=27", headers=headers)
    assert named.json["name"] == "Alex Johnson"
    body = lines({**user(1), "tenant_id": 27}, {**user(2), "tenant_id": 64797})
    assert call("POST", "/directory", body, headers=headers).status_code == 200
    mixed = call("POST", "/directory?tenant_id=27", body, headers=headers)
    assert wrong_fields(mixed) == ["line 2: tenant_id"]


@pytest.mark.parametrize("wrong", ["", "x", "0", "-1", "9" * 20, "²"])
def test_unreadable_tenant_is_named(call: Callable[..., TestResponse], wrong: str):
    assert wrong_fields(call("GET", CONTACT, query_string={"tenant_id": wrong})) == ["tenant_id"]


def test_post_takes_many_at_once(call: Callable[..., TestResponse]):
    body = lines(user(1), user(2), user(1, email="later")) + b"\n\n"
    response = call("POST", "/directory", body)
    assert (response.status_code, response.json) == (200, {"records": 3})
    assert call("GET", "/directory/user/1").json["email"] == "later"


def test_post_takes_all_or_none(call: Callable[..., TestResponse]):
    body = lines(user(1), user(0), {"kind": "activity", "id": 1}, {"kind": "tenant", "id": 1})
    response = call("POST", "/directory", body + b"\noops")
    assert wrong_fields(response) == [
        "line 2: id",
        "line 3: kind",
        "line 4: kind",
        "line 5: body",
    ]
    assert call("GET", "/directory/user/1").status_code == 404


def test_large_bodies_are_refused(make_app: Callable[..., Any], upstream: Caller):
    client = make_app(max_body_bytes=1024).test_client()
    response = client.post("/directory", data=b" " * 2000, headers=upstream.headers)
    assert response.status_code == 413


def test_both_dialects_show_a_change_at_once(
    client: FlaskClient, call: Callable[..., TestResponse], demo: Demo, tenant: Home
):
    def shown_name() -> Any:
        response = client.get("/activities/123", headers=demo.apex.headers)
        return response.json["contact"] and response.json["contact"]["full_name"]

    assert shown_name() == "Alex Johnson"
    token = tenant.token(organization_id=demo.apex.tenant_id, scope="directory")
    headers = {"Authorization": f"Bearer {token}"}
    call("PUT", CONTACT, {"name": "Alexa"}, headers=headers)
    assert shown_name() == "Alexa"
    call("DELETE", CONTACT, headers=headers)
    assert shown_name() is None
