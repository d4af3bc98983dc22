"""The schemas and the API document say what the dialect does."""

from typing import Any

import orjson
import pytest
from flask import Flask
from flask_smorest import Api
from marshmallow import Schema
from support.deskera_page import BLANK, RELATED, SHOWN_ACTIVITY, TENANT

from adapters import deskera
from adapters.deskera import schemas
from adapters.deskera.bodies import bulk_change
from adapters.deskera.fields import FIELDS, WRITABLE
from adapters.deskera.translate import show
from core.domain.errors import InvalidActivity

OPERATIONS = {
    "/v1/crm/activities": {"get": "listActivities", "post": "createActivity"},
    "/v1/crm/activities/{activity_id}": {
        "get": "getActivity",
        "put": "updateActivity",
        "delete": "deleteActivity",
    },
    "/v1/crm/activities/bulkUpdate": {"patch": "updateActivities"},
    "/v1/crm/activities/bulkDelete": {"post": "deleteActivities"},
}


@pytest.fixture(scope="module")
def app() -> Flask:
    """Return an application with nothing but this dialect's routes and document."""
    made = Flask("document")
    made.config.update(
        API_TITLE="Deskera", API_VERSION="v1", OPENAPI_VERSION="3.1.0", PROPAGATE_EXCEPTIONS=True
    )
    api = Api(made)
    api.register_blueprint(deskera.blueprint)
    made.extensions["document"] = api.spec.to_dict()
    return made


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    """Return the API document."""
    made: dict[str, Any] = app.extensions["document"]
    return made


def wire_keys_of(schema: Schema) -> list[str]:
    """Return the keys of a schema, in the order of its declarations."""
    return [field.data_key or name for name, field in schema.fields.items()]


def test_schema_declares_the_wire():
    assert wire_keys_of(schemas.Activity()) == [field.wire for field in FIELDS]
    assert wire_keys_of(schemas.ActivityBody()) == [field.wire for field in WRITABLE]


@pytest.mark.parametrize("activity", [BLANK, SHOWN_ACTIVITY], ids=["blank", "shown"])
def test_shown_activity_fits_its_schema(activity: Any):
    shown = orjson.loads(orjson.dumps(show(activity, RELATED, TENANT)))
    assert schemas.Activity().validate(shown) == {}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["ids"]),
        ({"ids": []}, ["ids"]),
        ({"ids": None}, ["ids"]),
        ({"ids": 5}, ["ids"]),
        ({"ids": [0]}, ["ids"]),
        ({"ids": ["5"]}, ["ids"]),
        ({"ids": [True]}, ["ids"]),
        ({"ids": list(range(1, 1002))}, ["ids"]),
        ({"ids": [5], "visibility_type": "shared"}, ["visibility_type"]),
        ({"ids": [5], "is_status": 1}, ["is_status"]),
        ({"ids": [5], "is_status": "true", "visibility_type": 3}, ["visibility_type", "is_status"]),
    ],
)
def test_bulk_update_is_checked(body: dict[str, Any], fields: list[str]):
    with pytest.raises(InvalidActivity) as caught:
        bulk_change(body)
    assert [name for name, _ in caught.value.problems] == fields


def test_bulk_update_takes_any_order_and_nulls():
    body = {"ids": [3, 1, 3], "is_status": None, "visibility_type": None, "more": 1}
    assert bulk_change(body) == ((3, 1, 3), {"is_status": None, "visibility_type": None})


def test_document_has_seven_operations(document: dict[str, Any]):
    found = {
        path: {
            method: operation["operationId"]
            for method, operation in operations.items()
            if method != "parameters"
        }
        for path, operations in document["paths"].items()
    }
    assert found == OPERATIONS


def test_every_operation_has_words(document: dict[str, Any]):
    for path, methods in OPERATIONS.items():
        for method in methods:
            operation = document["paths"][path][method]
            assert operation["summary"].endswith(".")
            assert {"401", "403", "503"} <= set(operation["responses"])


def test_document_bounds_ids(document: dict[str, Any]):
    parameters = document["paths"]["/v1/crm/activities/{activity_id}"]["parameters"]
    assert parameters[0]["schema"] == {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}


def test_document_refers_to_schemas(document: dict[str, Any]):
    update = document["paths"]["/v1/crm/activities/{activity_id}"]["put"]
    body = update["requestBody"]["content"]["application/json"]["schema"]
    answer = update["responses"]["400"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ActivityBody"}
    assert answer == {"$ref": "#/components/schemas/ErrorBody"}


def test_document_says_which_keys_take_null(document: dict[str, Any]):
    properties = document["components"]["schemas"]["ActivityBody"]["properties"]
    assert properties["visibility_type"]["enum"] == ["private", "public", "team", None]
    assert properties["duration"]["type"] == ["string", "integer", "null"]


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("GET", "/v1/crm/activities", "deskera.ActivityList"),
        ("POST", "/v1/crm/activities/", "deskera.ActivityList"),
        ("GET", "/v1/crm/activities/5", "deskera.ActivityItem"),
        ("DELETE", "/v1/crm/activities/9007199254740991/", "deskera.ActivityItem"),
        ("PATCH", "/v1/crm/activities/bulkUpdate/", "deskera.BulkUpdate"),
        ("POST", "/v1/crm/activities/bulkDelete", "deskera.BulkDelete"),
    ],
)
def test_paths_match_with_and_without_slash(app: Flask, method: str, path: str, endpoint: str):
    adapter = app.url_map.bind("localhost")
    assert adapter.match(path, method=method)[0] == endpoint


@pytest.mark.parametrize(
    "part", ["abc", "0", "-1", "1.0", "%D9%A3", "٣", "9007199254740992", "9" * 5000, "1/x", " 1"]
)
def test_other_ids_match_nothing(app: Flask, part: str):
    adapter = app.url_map.bind("localhost")
    assert not adapter.test(f"/v1/crm/activities/{part}", method="GET")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v1/crm/activities", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("POST", "/v1/crm/activities/5", {"DELETE", "GET", "HEAD", "OPTIONS", "PUT"}),
        ("GET", "/v1/crm/activities/bulkUpdate", {"OPTIONS", "PATCH"}),
        ("DELETE", "/v1/crm/activities/bulkDelete", {"OPTIONS", "POST"}),
    ],
)
def test_other_methods_are_not_allowed(app: Flask, method: str, path: str, allowed: set[str]):
    adapter = app.url_map.bind("localhost")
    assert not adapter.test(path, method=method)
    assert set(adapter.allowed_methods(path)) == allowed
