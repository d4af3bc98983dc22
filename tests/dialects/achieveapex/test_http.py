"""AchieveApex's dialect through the whole service: routes, core and PostgreSQL."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from flask.testing import FlaskClient
from support.achieveapex_api import PLACE, USER, Api
from support.callers import Demo, Home

GOLDEN = Path(__file__).parents[2] / "golden" / "achieveapex"
CASES = {path.stem: orjson.loads(path.read_bytes()) for path in GOLDEN.glob("*.json")}


@pytest.fixture
def demo_call(client: FlaskClient, demo: Demo) -> Api:
    """Give a caller of the page's organization."""
    return Api(client, demo.apex.key)


@pytest.fixture
def call(client: FlaskClient, tenant: Home) -> Api:
    """Give a caller of an empty organization."""
    return Api(client, tenant.caller(USER).key)


WALK = ["list", "object", "get", "selected", "limit_zero", "create", "patch", "done", "delete"]
STAMPED = {"create", "patch", "done", "delete"}


def without_stamps(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its stamps reduced to whether they are there."""
    stamps = ("created_at", "updated_at", "deleted_at")
    return record | {name: record[name] is None for name in stamps}


def test_golden_cases_can_be_walked_in_order(demo_call: Api):
    for name in [*WALK, *sorted(set(CASES) - {*WALK})]:
        request, expected = CASES[name]["request"], CASES[name]["response"]
        body = {"json": request["body"]} if "body" in request else {}
        path = unquote(request["path"])
        answer = demo_call(request["method"], path, query=request.get("query"), **body)
        assert answer.status_code == expected["status"], name
        shown, wanted = answer.json, expected["body"]
        if name in STAMPED:
            shown, wanted = without_stamps(shown), without_stamps(wanted)
        assert orjson.dumps(shown) == orjson.dumps(wanted), name


def test_answers_are_compact_json(demo_call: Api):
    answer = demo_call("GET", f"{PLACE}/999")
    assert answer.content_type == "application/json; charset=utf-8"
    assert answer.get_data() == orjson.dumps(answer.json)


def test_equal_stamps_on_create_and_delete(call: Api):
    made = call.create()
    assert made["created_at"] == made["updated_at"]
    gone = call("DELETE", f"{PLACE}/{made['id']}").json
    assert gone["deleted_at"] == gone["updated_at"]


def body_for(method: str) -> dict[str, Any]:
    """Return a change, where a method takes one."""
    return {"json": {"done": True}} if method == "PATCH" else {}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_deleted_activity_is_not_found(call: Api, method: str):
    path = f"{PLACE}/{call.create()['id']}"
    call("DELETE", path)
    assert call(method, path, **body_for(method)).status_code == 404


@pytest.mark.parametrize(
    "raw", ["0", "-1", "007", "1.0", "abc", "9007199254740992", "9" * 400, "1/2", "%C3%A9"]
)
def test_odd_ids_are_quoted(call: Api, raw: str):
    answer = call("GET", f"{PLACE}/{raw}")
    assert answer.status_code == 404
    assert answer.json["message"] == f"No record found for id '{unquote(raw)}'"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_query_narrows_single_calls(call: Api, method: str):
    made = call.create(subject="narrow")
    path = f"{PLACE}/{made['id']}"
    missed = call(method, path, query="subject=zzz", **body_for(method))
    assert (missed.status_code, missed.json["name"]) == (404, "NotFound")
    assert call(method, path, query="subject=ARR", **body_for(method)).status_code == 200


def test_select_works_on_every_method(call: Api):
    query = "$select[]=subject&$select[]=deal"
    made = call("POST", query=query, json={"subject": "chosen"})
    assert list(made.json) == ["subject", "id"]
    path = f"{PLACE}/{made.json['id']}"
    assert list(call("GET", path, query=query).json) == ["subject", "deal", "id"]
    assert list(call("PATCH", path, query=query, json={}).json) == ["subject", "id"]
    assert list(call("DELETE", path, query=query).json) == ["subject", "id"]


def test_named_expansions_stand_in_lists(demo_call: Api):
    page = demo_call("GET", query="id=124&$select[]=deal").json
    assert list(page["data"][0]["deal"]) == ["id", "name"]


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/"])
def test_trailing_slash_is_accepted(call: Api, path: str):
    assert call("GET", path).status_code == 200
    assert call("GET", f"{PLACE}/{call.create()['id']}/").status_code == 200


def test_head_is_like_get(call: Api):
    path = f"{PLACE}/{call.create()['id']}"
    head = call("HEAD", path)
    assert (head.status_code, head.get_data()) == (200, b"")
    assert head.headers["ETag"] == call("GET", path).headers["ETag"]


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/5"])
def test_preflight_needs_no_credentials(client: FlaskClient, path: str):
    answer = client.options(path)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"authorization", "x-api-key", "if-match", "x-service-method"} <= set(allowed)


def test_browsers_may_read_refusals(client: FlaskClient):
    answer = client.get(PLACE)
    assert (answer.status_code, answer.json["message"]) == (401, "Not authenticated")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("method", ["TRACE", "FOO"])
def test_other_methods_are_refused(call: Api, method: str):
    answer = call(method)
    assert (answer.status_code, answer.json["message"]) == (405, f"Method {method} not allowed")


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/5"])
def test_custom_methods_are_refused(call: Api, path: str):
    answer = call("POST", path, headers={"X-Service-Method": "foo"}, json={"subject": "a"})
    assert answer.status_code == 405
    assert answer.json["message"] == "Method `foo` is not supported by this endpoint."


def test_create_under_an_id_is_refused(call: Api):
    answer = call("POST", f"{PLACE}/5", json={"subject": "a"})
    assert answer.json["message"] == "Method `create` is not supported by this endpoint."


@pytest.mark.parametrize("data", [b"", b"{", b'"a"', b"\xff", b'{"subject":"\\u0000"}'])
def test_unreadable_bodies_are_refused(call: Api, data: bytes):
    answer = call("POST", data=data, content_type="application/json")
    assert (answer.status_code, answer.json["name"]) == (400, "BadRequest")


def test_empty_json_get_is_fine(call: Api):
    assert call("GET", content_type="application/json").status_code == 200


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"query":5}'])
def test_unreadable_query_bodies_are_refused(call: Api, data: bytes):
    answer = call("GET", data=data, content_type="application/json")
    assert (answer.status_code, answer.json["name"]) == (400, "BadRequest")


def test_query_body_needs_no_content_type(call: Api):
    call.create(subject="in the body")
    assert call.total(data=b'{"query":{"subject":"body"}}') == 1
    assert call.total(data=b'{"query":{"subject":"url"}}') == 0


def test_get_by_id_reads_body_query(call: Api):
    path = f"{PLACE}/{call.create(subject='in the body')['id']}"
    assert call("GET", path, json={"query": {"subject": "body"}}).status_code == 200
    assert call("GET", path, json={"query": {"subject": "url"}}).status_code == 404


def test_large_bodies_are_refused(call: Api):
    answer = call("POST", data=b"x" * (2**20 + 1), content_type="application/json")
    assert (answer.status_code, answer.json["name"], answer.json["code"]) == (
        413,
        "BadRequest",
        413,
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_foreign_organization_is_forbidden(call: Api, method: str):
    body = {"json": {"subject": "a", "organization_id": 27}} if method == "POST" else {}
    answer = call(method, query=None if body else "organization_id=27", **body)
    assert answer.status_code == 403
    assert answer.json["message"] == "You do not have access to this organization"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_foreign_record_is_not_found(call: Api, method: str):
    assert call(method, f"{PLACE}/124", **body_for(method)).status_code == 404


@pytest.mark.parametrize("wrong", ["27", True, None, 0, 1.5])
def test_organization_of_a_body_is_typed(call: Api, wrong: Any):
    answer = call("POST", json={"subject": "a", "organization_id": wrong})
    assert answer.status_code == 400
    assert answer.json["data"][0]["instancePath"] == "/organization_id"


def test_organizations_must_agree(call: Api):
    answer = call(
        "POST",
        query="organization_id=28",
        json={"subject": "a", "organization_id": 27},
    )
    assert answer.status_code == 400


def test_etag_and_if_match(call: Api):
    path = f"{PLACE}/{call.create()['id']}"
    etag = call("GET", path).headers["ETag"]
    assert call("GET", path, headers={"If-None-Match": etag}).status_code == 304
    changed = call("PATCH", path, json={"note": "x"}, headers={"If-Match": etag})
    assert changed.status_code == 200
    for method in ("PATCH", "DELETE"):
        stale = call(method, path, json={"note": "y"}, headers={"If-Match": etag})
        assert (stale.status_code, stale.json["name"], stale.json["code"]) == (
            412,
            "BadRequest",
            412,
        )


def test_repeated_create_answers_the_same(call: Api):
    headers = {"Idempotency-Key": "only once"}
    first = call("POST", json={"subject": "once"}, headers=headers)
    again = call("POST", json={"subject": "once"}, headers=headers)
    assert (again.status_code, again.get_data()) == (201, first.get_data())
    other = call("POST", json={"subject": "twice"}, headers=headers)
    assert (other.status_code, other.json["name"]) == (409, "Conflict")


def test_echo_moves_nothing(call: Api):
    path = f"{PLACE}/{call.create(start_date='2025-05-01', start_time='10:00')['id']}"
    record = call("GET", path).json
    after = call("PATCH", path, json=record).json
    assert {name: record[name] for name in after} == after


def test_bulk_reaches_known_ids_once(call: Api):
    ids = [call.create()["id"] for _ in range(3)]
    wanted = [ids[2], ids[0], ids[2], 10**9, -1, 2**70, ids[1]]
    for done in (True, True, False):
        answer = call("PATCH", json={"ids": wanted, "done": done})
        assert answer.status_code == 200
        assert answer.get_data() == orjson.dumps({"updated": 3, "ids": [ids[2], ids[0], ids[1]]})
        assert call("GET", f"{PLACE}/{ids[1]}").json["done"] is done


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"ids": [1]}, ["/done"]),
        ({"ids": [1], "done": None}, ["/done"]),
        ({"ids": [1], "done": "true"}, ["/done"]),
        ({"ids": [], "done": True}, ["/ids"]),
        ({"ids": 5, "done": True}, ["/ids"]),
        ({"ids": [1, "2"], "done": True}, ["/ids/1"]),
        ({"ids": [True], "done": True}, ["/ids/0"]),
        ({"ids": list(range(1, 1002)), "done": True}, ["/ids"]),
        ({"ids": [1], "done": True, "subject": "x"}, ["/subject"]),
        ({"ids": [1], "done": True, "organization_id": "1"}, ["/organization_id"]),
    ],
)
def test_wrong_bulk_bodies_are_named(call: Api, body: dict, paths: list[str]):
    answer = call("PATCH", json=body)
    assert answer.status_code == 400
    assert [problem["instancePath"] for problem in answer.json["data"]] == paths


def test_bulk_is_not_narrowed_silently(call: Api):
    made = call.create()
    answer = call("PATCH", query="subject=other", json={"ids": [made["id"]], "done": True})
    assert answer.status_code == 400
    assert call("GET", f"{PLACE}/{made['id']}").json["done"] is False
