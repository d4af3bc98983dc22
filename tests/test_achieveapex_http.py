"""AchieveApex's dialect through the whole service: routes, core and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core import schema
from core.credentials import Credentials
from core.database import Database
from core.demo import load_demo
from core.model import Tenant
from core.tenants import Tenants
from gateway.app import create_app
from gateway.embedded import equipped
from gateway.settings import Settings

GOLDEN = Path(__file__).parent / "golden" / "achieveapex"
CASES = {path.stem: orjson.loads(path.read_bytes()) for path in GOLDEN.glob("*.json")}
ANOTHER_TENANT = 7027
PLACE = "/activities"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Give the service over a database of its own, with the demo data."""
    data_dir: Path = tmp_path_factory.mktemp("apex")
    given = Settings.from_env({"GATEWAY_DATA_DIR": str(data_dir), "REDIS_URL": "none"})
    with equipped(given) as settings:
        database = Database(settings.database_url or "")
        schema.upgrade(database)
        load_demo(database)
        Tenants(database).create(Tenant(ANOTHER_TENANT, "Another", "UTC", "UTC"))
        yield create_app(settings)
        database.close()


def key_for(service: Flask, tenant_id: int) -> str:
    """Return a new key of user 45."""
    credentials: Credentials = service.extensions["credentials"]
    return credentials.create(tenant_id=tenant_id, user_id=45, scopes=("read", "write"))


class Caller:
    """A client of one organization."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        """Send this key with every call."""
        self._client = client
        self._key = key

    def __call__(self, method: str, path: str = PLACE, **options: Any) -> TestResponse:
        """Make a call; `query` is a query string as it is."""
        headers = {"x-api-key": self._key} | options.pop("headers", {})
        query = options.pop("query", None)
        return self._client.open(
            path, method=method, headers=headers, query_string=query, **options
        )

    def total(self, query: str = "", **options: Any) -> int:
        """Return how many activities match."""
        page = self("GET", query=query, **options)
        assert page.status_code == 200, page.text
        return int(page.json["total"])

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create an activity and return its record."""
        made = self("POST", json={"subject": "A call"} | fields)
        assert made.status_code == 201, made.text
        return dict(made.json)


@pytest.fixture(scope="module")
def demo(service: Flask) -> Caller:
    """Give a caller of the page's organization."""
    return Caller(service.test_client(), key_for(service, 27))


@pytest.fixture(scope="module")
def call(service: Flask) -> Caller:
    """Give a caller of an organization without the demo's records."""
    return Caller(service.test_client(), key_for(service, ANOTHER_TENANT))


WALK = ["list", "object", "get", "selected", "limit_zero", "create", "patch", "done", "delete"]
STAMPED = {"create", "patch", "done", "delete"}


def without_stamps(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its stamps reduced to whether they are there."""
    stamps = ("created_at", "updated_at", "deleted_at")
    return record | {name: record[name] is None for name in stamps}


def test_golden_cases_can_be_walked_in_order(demo: Caller):
    for name in [*WALK, *sorted(set(CASES) - {*WALK})]:
        request, expected = CASES[name]["request"], CASES[name]["response"]
        body = {"json": request["body"]} if "body" in request else {}
        path = unquote(request["path"])
        answer = demo(request["method"], path, query=request.get("query"), **body)
        assert answer.status_code == expected["status"], name
        shown, wanted = answer.json, expected["body"]
        if name in STAMPED:
            shown, wanted = without_stamps(shown), without_stamps(wanted)
        assert orjson.dumps(shown) == orjson.dumps(wanted), name


def test_answers_are_compact_json(demo: Caller):
    answer = demo("GET", f"{PLACE}/999")
    assert answer.content_type == "application/json; charset=utf-8"
    assert answer.get_data() == orjson.dumps(answer.json)


def test_equal_stamps_on_create_and_delete(call: Caller):
    made = call.create()
    assert made["created_at"] == made["updated_at"]
    gone = call("DELETE", f"{PLACE}/{made['id']}").json
    assert gone["deleted_at"] == gone["updated_at"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_deleted_activity_is_not_found(call: Caller, method: str):
    path = f"{PLACE}/{call.create()['id']}"
    call("DELETE", path)
    assert call(method, path, json={"done": True}).status_code == 404


@pytest.mark.parametrize(
    "raw", ["0", "-1", "007", "1.0", "abc", "9007199254740992", "9" * 400, "1/2", "%C3%A9"]
)
def test_odd_ids_are_quoted(call: Caller, raw: str):
    answer = call("GET", f"{PLACE}/{raw}")
    assert answer.status_code == 404
    assert answer.json["message"] == f"No record found for id '{unquote(raw)}'"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_query_narrows_single_calls(call: Caller, method: str):
    made = call.create(subject="narrow")
    path = f"{PLACE}/{made['id']}"
    missed = call(method, path, query="subject=zzz", json={"done": True})
    assert (missed.status_code, missed.json["name"]) == (404, "NotFound")
    assert call(method, path, query="subject=ARR", json={"done": True}).status_code == 200


def test_select_works_on_every_method(call: Caller):
    query = "$select[]=subject&$select[]=deal"
    made = call("POST", query=query, json={"subject": "chosen"})
    assert list(made.json) == ["subject", "id"]
    path = f"{PLACE}/{made.json['id']}"
    assert list(call("GET", path, query=query).json) == ["subject", "deal", "id"]
    assert list(call("PATCH", path, query=query, json={}).json) == ["subject", "id"]
    assert list(call("DELETE", path, query=query).json) == ["subject", "id"]


def test_named_expansions_stand_in_lists(demo: Caller):
    page = demo("GET", query="id=124&$select[]=deal").json
    assert list(page["data"][0]["deal"]) == ["id", "name"]


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/"])
def test_trailing_slash_is_accepted(call: Caller, path: str):
    assert call("GET", path).status_code == 200
    assert call("GET", f"{PLACE}/{call.create()['id']}/").status_code == 200


def test_head_is_like_get(call: Caller):
    path = f"{PLACE}/{call.create()['id']}"
    head = call("HEAD", path)
    assert (head.status_code, head.get_data()) == (200, b"")
    assert head.headers["ETag"] == call("GET", path).headers["ETag"]


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/5"])
def test_preflight_needs_no_credentials(service: Flask, path: str):
    answer = service.test_client().options(path)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"authorization", "x-api-key", "if-match", "x-service-method"} <= set(allowed)


def test_browsers_may_read_refusals(service: Flask):
    answer = service.test_client().get(PLACE)
    assert (answer.status_code, answer.json["message"]) == (401, "Not authenticated")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("method", ["TRACE", "FOO"])
def test_other_methods_are_refused(call: Caller, method: str):
    answer = call(method)
    assert (answer.status_code, answer.json["message"]) == (405, f"Method {method} not allowed")


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/5"])
def test_custom_methods_are_refused(call: Caller, path: str):
    answer = call("POST", path, headers={"X-Service-Method": "foo"}, json={"subject": "a"})
    assert answer.status_code == 405
    assert answer.json["message"] == "Method `foo` is not supported by this endpoint."


def test_create_under_an_id_is_refused(call: Caller):
    answer = call("POST", f"{PLACE}/5", json={"subject": "a"})
    assert answer.json["message"] == "Method `create` is not supported by this endpoint."


@pytest.mark.parametrize("data", [b"", b"{", b'"a"', b"\xff", b'{"subject":"\\u0000"}'])
def test_unreadable_bodies_are_refused(call: Caller, data: bytes):
    answer = call("POST", data=data, content_type="application/json")
    assert (answer.status_code, answer.json["name"]) == (400, "BadRequest")


def test_empty_json_get_is_fine(call: Caller):
    assert call("GET", content_type="application/json").status_code == 200


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"query":5}'])
def test_unreadable_query_bodies_are_refused(call: Caller, data: bytes):
    answer = call("GET", data=data, content_type="application/json")
    assert (answer.status_code, answer.json["name"]) == (400, "BadRequest")


def test_get_by_id_reads_body_query(call: Caller):
    path = f"{PLACE}/{call.create(subject='in the body')['id']}"
    assert call("GET", path, json={"query": {"subject": "body"}}).status_code == 200
    assert call("GET", path, json={"query": {"subject": "url"}}).status_code == 404


def test_large_bodies_are_refused(call: Caller):
    answer = call("POST", data=b"x" * (2**20 + 1), content_type="application/json")
    assert (answer.status_code, answer.json["name"], answer.json["code"]) == (
        413,
        "BadRequest",
        413,
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_foreign_organization_is_forbidden(call: Caller, method: str):
    body = {"json": {"subject": "a", "organization_id": 27}} if method == "POST" else {}
    answer = call(method, query=None if body else "organization_id=27", **body)
    assert answer.status_code == 403
    assert answer.json["message"] == "You do not have access to this organization"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_foreign_record_is_not_found(call: Caller, method: str):
    assert call(method, f"{PLACE}/124", json={"done": True}).status_code == 404


@pytest.mark.parametrize("wrong", ["27", True, None, 0, 1.5])
def test_organization_of_a_body_is_typed(call: Caller, wrong: Any):
    answer = call("POST", json={"subject": "a", "organization_id": wrong})
    assert answer.status_code == 400
    assert answer.json["data"][0]["instancePath"] == "/organization_id"


def test_organizations_must_agree(call: Caller):
    answer = call(
        "POST",
        query=f"organization_id={ANOTHER_TENANT}",
        json={"subject": "a", "organization_id": 27},
    )
    assert answer.status_code in (400, 403)


def test_etag_and_if_match(call: Caller):
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


def test_repeated_create_answers_the_same(call: Caller):
    headers = {"Idempotency-Key": "only once"}
    first = call("POST", json={"subject": "once"}, headers=headers)
    again = call("POST", json={"subject": "once"}, headers=headers)
    assert (again.status_code, again.get_data()) == (201, first.get_data())
    other = call("POST", json={"subject": "twice"}, headers=headers)
    assert (other.status_code, other.json["name"]) == (409, "Conflict")


def test_echo_moves_nothing(call: Caller):
    path = f"{PLACE}/{call.create(start_date='2025-05-01', start_time='10:00')['id']}"
    record = call("GET", path).json
    after = call("PATCH", path, json=record).json
    assert {name: record[name] for name in after} == after


def test_bulk_reaches_known_ids_once(call: Caller):
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
def test_wrong_bulk_bodies_are_named(call: Caller, body: dict, paths: list[str]):
    answer = call("PATCH", json=body)
    assert answer.status_code == 400
    assert [problem["instancePath"] for problem in answer.json["data"]] == paths


def test_bulk_is_not_narrowed_silently(call: Caller):
    made = call.create()
    answer = call("PATCH", query="subject=other", json={"ids": [made["id"]], "done": True})
    assert answer.status_code == 400
    assert call("GET", f"{PLACE}/{made['id']}").json["done"] is False


@pytest.fixture(scope="module")
def rows(service: Flask) -> Caller:
    """Give a caller of an organization with three activities, made for filters."""
    tenant = ANOTHER_TENANT + 1
    Tenants(service.extensions["database"]).create(Tenant(tenant, "Rows", "UTC", "UTC"))
    caller = Caller(service.test_client(), key_for(service, tenant))
    caller.create(subject="Alpha", deal_id=1, done=True, duration=30)
    caller.create(subject="beta", deal_id=2, contact_id=7, start_date="2025-04-01")
    caller.create(subject="100%", start_date="2025-04-02", start_time="23:59:59", note="")
    return caller


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1, 2, 3]),
        ("subject=A", [1, 2]),
        ("subject=%25", [3]),
        ("subject[$ne]=Alpha", [2, 3]),
        ("subject[$like]=_eta", [2]),
        ("subject[$ilike]=ALPHA", [1]),
        ("subject[$notlike]=%25a", [3]),
        ("deal_id=", [3]),
        ("deal_id[$ne]=1", [2]),
        ("deal_id[$nin][]=1", [2]),
        ("deal_id[$in][]=1&deal_id[$in][]=", [1]),
        ("deal_id[$in][]=", []),
        ("deal_id[$nin][]=1&deal_id[$nin][]=", []),
        ("done=true", [1]),
        ("duration=30", [1]),
        ("duration[$gt]=29.5", [1]),
        ("duration[$in][]=30&duration[$in][]=31", [1]),
        ("contact_id=7", [2]),
        ("contact_id[$ne]=8", [2]),
        ("contact_id[$gt]=6", [2]),
        ("contact_id=", [1, 3]),
        ("start_date[$gte]=2025-04-01&start_date[$lte]=2025-04-30", [2, 3]),
        ("start_time=23:59:59", [3]),
        ("start_time[$lt]=23:59:59", []),
        ("start_date=", [1]),
        ("note=", [3]),
        ("location_geocoded=", [1, 2, 3]),
        ("location_geocoded[$ne]=", []),
        ("deleted_at=", [1, 2, 3]),
        ("deleted_at[$ne]=", []),
        ("deleted_at[$nin][]=2025-01-01", []),
        ("created_at[$gt]=1970-01-01T00:00:00.000Z", [1, 2, 3]),
        ("id[$lt]=99999999999999999999", [1, 2, 3]),
        ("$or[0][deal_id]=1&$or[1][deal_id]=2", [1, 2]),
        ("$and[0][deal_id]=1&$and[1][deal_id]=2", []),
        ("$or[0][done]=true&$or[1][subject]=beta", [1, 2]),
        ("$and[0][$or][0][deal_id]=2&$and[0][$or][1][id]=3&$and[1][start_time]=23:59:59", [3]),
        ("$sort[deal_id]=-1", [3, 2, 1]),
        ("$sort[start_date]=1&$sort[subject]=1", [2, 3, 1]),
        ("$sort[contact_id]=1", [2, 1, 3]),
        ("$sort[duration]=-1", [3, 2, 1]),
        ("$sort[organization_id]=-1", [3, 2, 1]),
        ("$limit=1&$skip=1", [2]),
    ],
)
def test_filters_find_their_rows(rows: Caller, query: str, found: list[int]):
    page = rows("GET", query=query)
    assert page.status_code == 200, page.text
    assert [record["id"] for record in page.json["data"]] == found


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ({"id": {"$in": []}}, 0),
        ({"id": {"$nin": []}}, 3),
        ({"$or": []}, 3),
        ({"$or": [{"deal_id": {"$in": []}}, {"id": 1}]}, 1),
        ({"subject": None}, 0),
        ({"id": {"$in": list(range(1, 5001))}}, 3),
        ({"created_at": {"$in": ["2025-01-01T00:00:00.000Z"]}}, 0),
        ({"$and": [{"id": 1}, {"id": 2}]}, 0),
        ({"$or": [{"id": 1}, {"id": 2}]}, 2),
    ],
)
def test_typed_filters_count_their_rows(rows: Caller, query: dict, total: int):
    assert rows.total(json={"query": query}) == total


def test_shown_stamps_can_be_asked_for(rows: Caller):
    record = rows("GET", f"{PLACE}/2").json
    for name in ("created_at", "updated_at"):
        stamp = record[name].replace(":", "%3A")
        assert rows("GET", f"{PLACE}/2", query=f"{name}={stamp}").status_code == 200
        assert rows("GET", f"{PLACE}/2", query=f"{name}[$gt]={stamp}").status_code == 404


def test_every_column_sorts_and_filters(rows: Caller):
    for column in rows("GET", f"{PLACE}/1", query="$select[]=id").json | {"subject": 1}:
        assert rows("GET", query=f"$sort[{column}]=-1").status_code == 200
