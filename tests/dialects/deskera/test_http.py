"""Deskera's dialect through the whole service: the seven operations, and what writes mean."""

import orjson
import pytest
from flask.testing import FlaskClient
from support.callers import Demo, Home
from support.clock import Clock, age_keys
from support.deskera_api import PLACE, USER, Api, refused
from support.deskera_page import golden

from core.storage.database import Database

JSON = "application/json; charset=utf-8"
WRITES = ["create", "create_curl", "update", "update_curl"]


@pytest.fixture
def demo_call(client: FlaskClient, demo: Demo) -> Api:
    """Give the caller of Deskera's page."""
    return Api(client, demo.deskera.key)


def test_read_sample_is_served_whole(demo_call: Api):
    answer = demo_call("GET", 81)
    assert (answer.status_code, answer.content_type) == (200, JSON)
    assert answer.get_data() == orjson.dumps(golden("read")["response"]["body"])


def test_list_sample_is_served_whole(demo_call: Api):
    # The sample shows one record of three, so that its own request cannot give it.
    answer = demo_call("GET", query="page=1&pageSize=1&sortBy=id&sortDir=ASC")
    assert (answer.status_code, answer.content_type) == (200, JSON)
    assert answer.get_data() == orjson.dumps(golden("list")["response"]["body"])


def test_list_request_gives_every_record(demo_call: Api):
    answer = demo_call("GET", query=golden("list")["request"]["query"])
    records = [demo_call.read(activity_id) for activity_id in (81, 1, 2)]
    info = {"page": 1, "totalRecords": 3, "isZeroState": False}
    assert answer.get_data() == orjson.dumps({"data": records, "paginationInfo": info})


@pytest.mark.parametrize("case", WRITES)
def test_write_sample_is_read_back(demo_call: Api, case: str):
    request = golden(case)["request"]
    before = golden("read")["response"]["body"]
    answer = demo_call(request["method"], request["path"], json=request["body"])
    activity_id = 82 if request["method"] == "POST" else 1
    assert answer.status_code == golden(case)["response"]["status"]
    assert (answer.get_data(), answer.content_type) == (b'{"id":%d}' % activity_id, JSON)
    written = {
        "id": activity_id,
        "name": "Act-001",
        "duration": "1h 0m",
        "organization_ids": [196517, 196518],
        "organization_details": before["organization_details"][::-1],
        "is_status": False,
        "start": "2021-08-05T18:45:49+05:30",
        "end": "2021-08-05T19:45:49+05:30",
        "updated_at": "2026-03-01T17:30:00+05:30",
    }
    new = {"source_id": "", "created_at": written["updated_at"]} if activity_id == 82 else {}
    assert orjson.dumps(demo_call.read(activity_id)) == orjson.dumps(before | written | new)


@pytest.mark.parametrize(
    ("case", "left"), [("delete", [81, 2]), ("bulk_update", [81, 1, 2]), ("bulk_delete", [81])]
)
def test_other_samples_are_answered_empty(demo_call: Api, case: str, left: list[int]):
    request = golden(case)["request"]
    body = {"json": request["body"]} if "body" in request else {}
    answer = demo_call(request["method"], request["path"], **body)
    assert answer.status_code == golden(case)["response"]["status"]
    assert (answer.get_data(), answer.headers.get("Content-Type")) == (b"", None)
    assert demo_call.page()[0] == left


def test_broken_bulk_sample_is_refused(demo_call: Api):
    request = golden("bulk_update_broken")["request"]
    status, body = refused(demo_call(request["method"], request["path"], data=request["text"]))
    assert (status, [problem["field"] for problem in body["errors"]]) == (400, ["body"])
    assert body["errors"][0]["error"].startswith("is not valid JSON: ")


def test_sample_token_suffices_alone(client: FlaskClient, demo: Demo):
    answer = client.get(f"{PLACE}/81", headers={"x-access-token": "sampleaccesstoken"})
    assert answer.json == golden("read")["response"]["body"]


def test_delete_hides_the_activity(call: Api):
    first, second = call.create(name="first"), call.create(name="second")
    answer = call("DELETE", first)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert call.page() == ([second], 1)
    assert [call(method, first, json={}).status_code for method in ("GET", "PUT", "DELETE")] == [
        404,
        404,
        404,
    ]
    assert call.create() == 3


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ({"is_status": True}, {"is_status": True}),
        ({"visibility_type": "public"}, {"visibility_type": "public"}),
        (
            {"is_status": True, "visibility_type": "private"},
            {"is_status": True, "visibility_type": "private"},
        ),
        ({"IS_STATUS": True, "name": "ignored", "notes": 5}, {"is_status": True}),
        ({}, {}),
        ({"visibility_type": None, "is_status": None}, {}),
    ],
)
def test_bulk_update_changes_known_ids(call: Api, clock: Clock, body: dict, changed: dict):
    before = [call.read(call.create(name=f"{n}")) for n in range(3)]
    clock.advance(minutes=1)
    wanted = [3, 1, 3, 999, 2**53 - 1]
    answer = call("PATCH", f"{PLACE}/bulkUpdate", json={"ids": wanted} | body)
    assert (answer.status_code, answer.get_data()) == (200, b"")
    assert "Content-Type" not in answer.headers
    moved = changed | ({"updated_at": "2026-03-01T12:01:00Z"} if changed else {})
    after = [call.read(number) for number in (1, 2, 3)]
    assert after == [before[0] | moved, before[1], before[2] | moved]


def test_bulk_delete_removes_known_ids(call: Api):
    for _ in range(3):
        call.create()
    answer = call("POST", f"{PLACE}/bulkDelete", json=[3, 1, 3, 999, 2**53 - 1])
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert call.page() == ([2], 1)
    assert call("POST", f"{PLACE}/bulkDelete", json=[3, 1]).status_code == 204


def test_thousand_ids_are_taken(call: Api):
    ids = list(range(1, 1001))
    made = call.read(call.create(contact_ids=ids, assignee_ids=ids[::-1], organization_ids=ids))
    assert (made["contact_ids"], made["assignee_ids"]) == (ids, ids[::-1])
    update = {"ids": ids, "is_status": True}
    assert call("PATCH", f"{PLACE}/bulkUpdate", json=update).status_code == 200
    assert call.read(1)["is_status"] is True
    assert call("POST", f"{PLACE}/bulkDelete", json=ids).status_code == 204
    assert call.page() == ([], 0)


def test_trailing_slashes_change_nothing(call: Api):
    assert call("POST", f"{PLACE}/", json={}).get_data() == b'{"id":1}'
    assert call("GET", f"{PLACE}/").get_data() == call("GET").get_data()
    assert call("GET", f"{PLACE}/1/").get_data() == call("GET", 1).get_data()
    assert call("PUT", f"{PLACE}/1/", json={"name": "a"}).get_data() == b'{"id":1}'
    update = {"ids": [1], "is_status": True}
    assert call("PATCH", f"{PLACE}/bulkUpdate/", json=update).status_code == 200
    assert call("DELETE", f"{PLACE}/1/").status_code == 204
    assert call("POST", f"{PLACE}/bulkDelete/", json=[1]).status_code == 204


def test_head_is_get_without_body(call: Api):
    call.create()
    for path in (PLACE, 1):
        head, got = call("HEAD", path), call("GET", path)
        assert (head.status_code, head.get_data()) == (200, b"")
        for name in ("Content-Type", "Content-Length", "ETag"):
            assert head.headers.get(name) == got.headers.get(name)


def test_etag_names_version_and_body(call: Api, client: FlaskClient, tenant: Home):
    call.create(assignee_ids=[USER])
    first = call("GET", 1).headers["ETag"]
    for known in (first, f"W/{first}", f'"x", {first}', "*"):
        answer = call("GET", 1, headers={"If-None-Match": known})
        assert (answer.status_code, answer.get_data()) == (304, b"")
        assert answer.headers["ETag"] == first
    person = {"first_name": "New", "last_name": "Name"}
    pusher = tenant.caller(USER, "directory").headers
    assert client.put(f"/directory/user/{USER}", json=person, headers=pusher).status_code == 201
    answer = call("GET", 1, headers={"If-None-Match": first})
    assert (answer.status_code, answer.json["owner_details"]["first_name"]) == (200, "New")
    # The version is still the same: only what is shown of others has changed.
    assert call("PUT", 1, json={"name": "a"}, headers={"If-Match": first}).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_if_match_holds_the_version(call: Api, method: str):
    call.create(name="before")
    stale = call("GET", 1).headers["ETag"]
    call("PUT", 1, json={"name": "between"})
    fresh = call("GET", 1).headers["ETag"]
    for header in (stale, '"something"', "2", ""):
        answer = call(method, 1, json={"name": "after"}, headers={"If-Match": header})
        assert answer.status_code == 412
    assert call.read(1)["name"] == "between"
    several = {"If-Match": f"{stale}, W/{fresh}"}
    assert call(method, 1, json={"name": "after"}, headers=several).status_code < 300
    assert call(method, 1, json={}, headers={"If-Match": "*"}).status_code == (
        200 if method == "PUT" else 404
    )


def test_repeated_create_answers_the_same(call: Api, database: Database, tenant: Home):
    headers = {"Idempotency-Key": "only once"}
    bodies = [b'{"name":"once","is_status":true}', b' { "is_status": true, "name": "once" } ']
    answers = [call("POST", data=body, headers=headers) for body in bodies]
    assert [(answer.status_code, answer.get_data()) for answer in answers] == [
        (201, b'{"id":1}'),
        (201, b'{"id":1}'),
    ]
    age_keys(database, tenant.id, hours=25)
    assert call("POST", data=bodies[0], headers=headers).get_data() == b'{"id":2}'
    assert call.page() == ([2, 1], 2)


def test_refused_create_frees_its_key(call: Api):
    headers = {"Idempotency-Key": "again"}
    assert call("POST", json={"name": 5}, headers=headers).status_code == 400
    assert call("POST", json={"name": "5"}, headers=headers).get_data() == b'{"id":1}'


def test_idempotency_keys_belong_to_users(call: Api, client: FlaskClient, tenant: Home):
    other = Api(client, tenant.caller(USER + 1).key)
    headers = {"Idempotency-Key": "shared"}
    assert call("POST", json={"name": "mine"}, headers=headers).json == {"id": 1}
    assert other("POST", json={"name": "theirs"}, headers=headers).json == {"id": 2}


def test_details_follow_the_directory(client: FlaskClient, tenant: Home):
    call = Api(client, tenant.caller(USER, "read", "write", "directory").key)
    call.create(contact_ids=[5, 6], linked_to=9, owner_id=4)
    shown = call.read(1)
    assert (shown["contact_details"], shown["deal_details"]) == ([], None)
    assert client.put("/directory/contact/6", json={"name": "Six"}, headers=call.headers).json
    [person] = call.read(1)["contact_details"]
    assert (person["id"], person["name"], person["type"], person["label"]) == (
        6,
        "Six",
        "person",
        {},
    )
