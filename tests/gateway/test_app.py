"""What create_app adds around the dialects: paths, last answers, headers, documents."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Demo

from gateway.app import create_app
from gateway.settings import Settings, SettingsError

DIALECTS = ("deskera", "achieveapex")


def test_unset_database_is_refused():
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        create_app(Settings())


def test_unmatched_path_gets_edge_error(client: FlaskClient):
    answer = client.get("/nowhere")
    expected = {"status": "error", "code": 404, "message": "Not Found", "requestPath": "/nowhere"}
    assert (answer.status_code, answer.json) == (404, expected)


@pytest.mark.parametrize(
    "path", ["/v1/crmx", "/v1", "/activitiesx", "//activities", "//", "/health"]
)
def test_near_misses_belong_to_nobody(client: FlaskClient, path: str):
    answer = client.get("/", environ_overrides={"PATH_INFO": path})
    assert (answer.status_code, answer.json["status"]) == (404, "error")


@pytest.mark.parametrize("path", ["/v1/crm", "/v1/crm/", "/v1/crm/contacts"])
def test_unknown_deskera_path_answers_as_deskera(client: FlaskClient, path: str):
    answer = client.get(path)
    assert (answer.status_code, answer.json["httpStatus"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/v1/crm/activities", "/activities", "/activities/123"])
def test_trailing_slash_is_accepted(client: FlaskClient, demo: Demo, path: str):
    caller = demo.deskera if path.startswith("/v1") else demo.apex
    plain = client.get(path, headers=caller.headers)
    slashed = client.get(f"{path}/", headers=caller.headers)
    assert plain.status_code == slashed.status_code == 200
    assert plain.data == slashed.data


def test_wrong_method_answers_as_dialect(client: FlaskClient):
    answer = client.patch("/v1/crm/activities")
    assert answer.json["httpStatus"] == "METHOD_NOT_ALLOWED"
    assert "POST" in answer.headers["Allow"]
    allowed = client.post("/version").headers["Allow"].split(", ")
    assert set(allowed) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize(
    ("path", "key", "name"),
    [("/v1/crm/activities", "httpStatus", "PAYLOAD_TOO_LARGE"), ("/activities", "code", 413)],
)
def test_large_body_answers_as_dialect(
    make_app: Callable[..., Flask], demo: Demo, path: str, key: str, name: object
):
    client = make_app(max_body_bytes=2048).test_client()
    caller = demo.deskera if path.startswith("/v1") else demo.apex
    body = b'{"subject": "' + b"x" * 4096 + b'"}'
    answer = client.post(
        path,
        data=body,
        headers={**caller.headers, "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json[key]) == (413, name)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1/crm/activities", "INTERNAL_SERVER_ERROR"),
        ("/activities", "GeneralError"),
        ("/version", "Internal Server Error"),
    ],
)
def test_unexpected_error_tells_nothing(
    make_app: Callable[..., Flask],
    demo: Demo,
    capfd: pytest.CaptureFixture[str],
    path: str,
    text: str,
):
    app = make_app()

    @app.before_request
    def fail() -> None:
        raise ZeroDivisionError("the inside")

    answer = app.test_client().get(path, headers={**demo.deskera.headers, "X-Request-Id": "r-1"})
    assert answer.status_code == 500
    assert text in answer.text
    assert "inside" not in answer.text
    logged = capfd.readouterr().out
    assert "ZeroDivisionError: the inside" in logged
    assert '"request_id":"r-1"' in logged


@pytest.mark.parametrize(
    "path",
    ["/v1/crm/activities", "/v1/crm/nothing", "/activities/none", "/directory/user/1"],
)
def test_dialect_answers_are_private(client: FlaskClient, path: str):
    answer = client.get(path)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "x-access-token, x-api-key, Authorization"


def test_other_answers_do_not_vary(client: FlaskClient):
    assert "Vary" not in client.get("/version").headers


@pytest.mark.parametrize("dialect", DIALECTS)
def test_document_is_openapi_31(client: FlaskClient, dialect: str):
    document = client.get(f"/docs/{dialect}/openapi.json").json
    other = {"deskera": "/activities", "achieveapex": "/v1/crm/activities"}[dialect]
    assert document["openapi"] == "3.1.0"
    assert document["paths"]
    assert other not in document["paths"]
    assert {"accessToken", "apiKey", "bearer"} == set(document["components"]["securitySchemes"])


def test_two_applications_stand_side_by_side(make_app: Callable[..., Flask]):
    first, second = make_app(), make_app(apex_default_limit=3)
    assert first.extensions["wire_settings"].apex_default_limit == 10
    assert second.extensions["wire_settings"].apex_default_limit == 3
