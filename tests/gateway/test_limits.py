"""Limits of bodies, depths, lists and texts in both dialects; and hundreds of broken requests."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.both_api import USER, Both
from support.broken_requests import BrokenRequests
from support.callers import Home
from support.deskera_api import (
    FORBIDDEN,
    HAS_CHANGED,
    KEY_REUSED,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PLACE,
    TOO_LARGE,
    UNAUTHORIZED,
    base64,
    fields_of,
    refused,
)
from werkzeug.test import TestResponse

from core.domain.model import MAX_LINKED_IDS
from core.domain.validators import MAX_DEPTH
from gateway.settings import Settings

BULK_UPDATE, BULK_DELETE = f"{PLACE}/bulkUpdate", f"{PLACE}/bulkDelete"
LONG_SUBJECT = "ä" * 49_990 + "needle" + "z" * 14
LONG_NOTES = "<p>note €</p>\n" * 33_000
DESKERA_KEYS = ["code", "errorMessage", "debugMessage", "httpStatus", "errors"]
APEX_KEYS = ["name", "message", "code", "className", "data"]


@pytest.fixture
def both(client: FlaskClient, tenant: Home) -> Both:
    """Give a user of an empty tenant."""
    return Both(client, tenant.caller(USER).key)


def padded(body: Any, size: int) -> bytes:
    """Return a body as JSON text of exactly so many bytes."""
    return json.dumps(body).encode().ljust(size)


def writes(both: Both) -> Iterator[tuple[Callable[..., TestResponse], int]]:
    """Give every call that takes a body, with the status of its success."""
    yield lambda send: both.deskera("POST", **send({"name": "a"})), 201
    yield lambda send: both.deskera("PUT", 1, **send({"name": "a"})), 200
    yield lambda send: both.deskera("PATCH", BULK_UPDATE, **send({"ids": [1]})), 200
    yield lambda send: both.deskera("POST", BULK_DELETE, **send([99])), 204
    yield lambda send: both.apex("POST", **send({"subject": "a"})), 201
    yield lambda send: both.apex("PATCH", "/activities/1", **send({"subject": "a"})), 200
    yield lambda send: both.apex("PATCH", **send({"ids": [1], "done": True})), 200
    yield lambda send: both.apex("GET", **send({"query": {"id": 1}})), 200


def apex_error(code: int, name: str, message: str) -> dict[str, Any]:
    """Return a Feathers error without data."""
    class_name = "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
    return {"name": name, "message": message, "code": code, "className": class_name}


def assert_too_large(answer: TestResponse) -> None:
    """Check that a body was refused for its size, in the words of the dialect."""
    if "httpStatus" in answer.json:
        assert refused(answer) == TOO_LARGE
        return
    message = "The data value transmitted exceeds the capacity limit."
    assert (answer.status_code, answer.json) == (413, apex_error(413, "BadRequest", message))


def test_body_of_exact_limit_passes(both: Both, settings: Settings):
    both.deskera.create()
    for call, status in writes(both):
        answer = call(lambda body: {"data": padded(body, settings.max_body_bytes)})
        assert answer.status_code == status, answer.text[:500]


def test_one_byte_more_is_refused(both: Both, settings: Settings):
    both.deskera.create(name="kept")
    before = both.shown(1)
    for call, _ in writes(both):
        assert_too_large(call(lambda body: {"data": padded(body, settings.max_body_bytes + 1)}))
    assert both.shown(1) == before
    assert both.apex.total() == 1


def test_unknown_length_has_same_limit(both: Both, settings: Settings):
    def chunked(size: int) -> Callable[[Any], dict[str, Any]]:
        """Send a body as a server hands it on that read it in chunks."""
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        return lambda body: {
            "input_stream": io.BytesIO(padded(body, size)),
            "environ_overrides": environ,
        }

    both.deskera.create()
    for call, status in writes(both):
        assert call(chunked(settings.max_body_bytes)).status_code == status
        assert_too_large(call(chunked(settings.max_body_bytes + 1)))


def test_limit_is_the_setting(make_app: Callable[..., Flask], tenant: Home):
    both = Both(make_app(max_body_bytes=100).test_client(), tenant.caller(USER).key)
    both.deskera.create()
    for call, status in writes(both):
        assert call(lambda body: {"data": padded(body, 100)}).status_code == status
        assert_too_large(call(lambda body: {"data": padded(body, 101)}))


def nested(levels: int, opening: str, closing: str) -> str:
    """Return JSON text of a number so many levels deep."""
    return opening * levels + "1" + closing * levels


def test_deep_json_is_refused(both: Both):
    both.deskera.create()
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deepest = nested(MAX_DEPTH - 1, opening, closing)
        for body, status in ((f'{{"x":{deepest}}}', 201), (f'{{"x":[{deepest}]}}', 400)):
            assert both.deskera("POST", data=body).status_code == status
        place = f'{{"subject":"a","location_geocoded":{{"x":{deepest[len(opening) : -1]}}}}}'
        assert both.apex("POST", data=place).status_code == 201
        deeper = place.replace('"x":', '"x":[', 1).replace("}}", "]}}") if opening == "[" else ""
        assert not deeper or both.apex("POST", data=deeper).status_code == 400
        for levels in (1_000, 100_000):
            for data in (nested(levels, opening, closing), opening * levels):
                assert fields_of(both.deskera("PUT", 1, data=data))[0] == 400
                for method in ("GET", "POST", "PATCH"):
                    answer = both.apex(method, data=data)
                    assert (answer.status_code, answer.json["name"]) == (400, "BadRequest")


def test_many_ids_are_counted(both: Both):
    most = list(range(1, MAX_LINKED_IDS + 1))
    activity_id = both.deskera.create(assignee_ids=most, contact_ids=most, organization_ids=most)
    both.patch(activity_id, assigned_to_user_id=1000, contact_id=5000)
    shown = both.deskera.read(activity_id)
    assert shown["assignee_ids"] == [1000, *most[:-1]]
    assert shown["contact_ids"] == [5000, *most[1:]]
    assert both.apex("PATCH", json={"ids": most, "done": True}).json == {"updated": 1, "ids": [1]}
    too_many = [*most, 1]
    for key in ("assignee_ids", "contact_ids", "organization_ids"):
        assert fields_of(both.deskera("PUT", 1, json={key: too_many})) == (400, [key])
    bulk = {"ids": too_many, "is_status": False}
    assert fields_of(both.deskera("PATCH", BULK_UPDATE, json=bulk)) == (400, ["ids"])
    assert fields_of(both.deskera("POST", BULK_DELETE, json=too_many)) == (400, ["body"])
    answer = both.apex("PATCH", json={"ids": too_many, "done": False})
    assert (answer.status_code, [problem["instancePath"] for problem in answer.json["data"]]) == (
        400,
        ["/ids"],
    )
    assert both.shown(1) == (both.shown(1)[0] | {"done": True}, shown | {"is_status": True})


def test_long_texts_go_round(both: Both):
    first = both.deskera.create(name=LONG_SUBJECT, notes=base64(LONG_NOTES))
    sent = orjson.dumps({"subject": LONG_SUBJECT, "note": LONG_NOTES, "location": LONG_SUBJECT})
    second = both.apex("POST", data=sent).json["id"]
    for activity_id in (first, second):
        record, document = both.shown(activity_id)
        assert (record["subject"], document["name"]) == (LONG_SUBJECT, LONG_SUBJECT)
        assert (record["note"], document["notes"]) == (LONG_NOTES, LONG_NOTES)
    both.put(second, name="short", notes=LONG_NOTES)
    both.patch(first, note=LONG_NOTES, subject="ä")
    assert both.shown(second)[0]["note"] == both.shown(first)[1]["notes"] == LONG_NOTES


def test_long_texts_sort_and_filter(both: Both):
    names = [LONG_SUBJECT, "ä" * 49_990 + "neEdlf", "ä" * 200, "short", LONG_SUBJECT + "a"]
    for name in names:
        both.deskera.create(name=name, notes=base64(LONG_NOTES))
    order = sorted(range(1, 6), key=lambda number: names[number - 1])
    assert both.deskera.page("sortBy=name&sortDir=ASC") == (order, 5)
    assert both.deskera.page("sortBy=name&sortDir=DESC&pageSize=3&page=2") == (order[1::-1], 5)
    by_subject = both.apex("GET", json={"query": {"$sort": {"subject": -1}, "$select": ["id"]}})
    assert [record["id"] for record in by_subject.json["data"]] == order[::-1]
    assert both.deskera.page("query=name=NEEDLE") == ([5, 1], 2)
    assert both.deskera.page("query=name=NEEDL") == ([5, 2, 1], 3)
    assert both.apex.total(json={"query": {"subject": {"$in": [LONG_SUBJECT, "short"]}}}) == 2
    assert both.apex.total(json={"query": {"subject": {"$like": "%needlezzz%"}}}) == 2
    assert both.apex.total(json={"query": {"note": LONG_NOTES}}) == 5


def test_deskera_errors_are_deskeras(both: Both, client: FlaskClient, tenant: Home):
    both.deskera.create()
    call, reader = both.deskera, Both(client, tenant.caller(USER, "read").key).deskera
    key = {"Idempotency-Key": "k"}
    call("POST", json={}, headers=key)
    answers = [
        (client.get(PLACE), UNAUTHORIZED),
        (reader("POST", json={}), FORBIDDEN),
        (call("GET", 99), NOT_FOUND),
        (call("PATCH", 1, json={}), METHOD_NOT_ALLOWED),
        (call("POST", json={"name": "b"}, headers=key), KEY_REUSED),
        (call("PUT", 1, json={}, headers={"If-Match": '"0-0"'}), HAS_CHANGED),
        (call("POST", data=b" " * 2**21), TOO_LARGE),
    ]
    assert [refused(answer) for answer, _ in answers] == [expected for _, expected in answers]


def test_apex_errors_are_feathers(both: Both, client: FlaskClient, tenant: Home):
    both.apex.create()
    call, reader = both.apex, Both(client, tenant.caller(USER, "read").key).apex
    key = {"Idempotency-Key": "k"}
    call("POST", json={"subject": "a"}, headers=key)
    reused = "This Idempotency-Key was used with another body."
    changed = "The activity has changed since the version named in If-Match."
    answers = [
        (client.get("/activities"), apex_error(401, "NotAuthenticated", "Not authenticated")),
        (reader("POST", json={"subject": "a"}), apex_error(403, "Forbidden", "Forbidden")),
        (call("GET", "/activities/99"), apex_error(404, "NotFound", "No record found for id '99'")),
        (call("DELETE"), apex_error(405, "MethodNotAllowed", "Can not remove multiple entries")),
        (call("POST", json={"subject": "b"}, headers=key), apex_error(409, "Conflict", reused)),
        (
            call("PATCH", "/activities/1", json={}, headers={"If-Match": '"0-0"'}),
            apex_error(412, "BadRequest", changed),
        ),
    ]
    for answer, expected in answers:
        told = {name: answer.json[name] for name in APEX_KEYS[:4]}
        assert (answer.status_code, told) == (expected["code"], expected)
        assert list(answer.json) == APEX_KEYS[: len(answer.json)]
        assert ("data" in answer.json) == (answer.status_code in (401, 403))


def assert_well_formed(answer: TestResponse, request: dict[str, Any]) -> None:
    """Check that an answer is no failure of ours, and an error in the dialect's own shape."""
    assert answer.status_code < 500, request
    if answer.status_code < 400 or request["method"] == "HEAD":
        return
    assert answer.content_type == "application/json; charset=utf-8", request
    keys = DESKERA_KEYS if request["path"].startswith("/v1/crm") else APEX_KEYS
    required = keys[:4]
    assert list(answer.json) in (required, keys), request
    assert answer.json["code"] == answer.status_code, request


@pytest.mark.parametrize("seed", range(4))
def test_broken_requests_break_nothing(both: Both, client: FlaskClient, seed: int):
    both.make()
    broken, statuses = BrokenRequests(seed), set()
    for _ in range(150):
        request = broken.request()
        request["headers"] = both.deskera.headers | dict(request["headers"])
        answer = client.open(**request)
        assert_well_formed(answer, request)
        statuses.add(answer.status_code)
    assert {200, 201, 400, 404, 405} <= statuses
    assert (both.apex("GET").status_code, both.deskera("GET").status_code) == (200, 200)
