"""Every sample of AchieveApex's page, and of stock Feathers' answers, compared as JSON text.

Here without a server: requests through the query reader and `apply`, answers out of `show` and the
error renderers. `test_achieveapex_http` sends the same cases through the whole service.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.achieveapex import schemas
from adapters.achieveapex.errors import FeathersError, on_core_error, on_feathers_error
from adapters.achieveapex.query import to_query
from adapters.achieveapex.translate import apply, select, show
from adapters.http import WireSettings
from core.domain.entity import Entity
from core.domain.errors import ActivityNotFound, CoreError
from core.domain.model import Activity, Tenant, blank_activity
from core.domain.query import AllOf, Compare, HasMember, SortKey

GOLDEN = Path(__file__).parents[2] / "golden" / "achieveapex"
CASES = {path.stem: json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))}
EVIDENCE = {"from_vendor_doc", "from_stock_feathers", "inferred"}
TENANT = Tenant(27, "AchieveApex's page", "UTC", "UTC")
NOW = datetime.fromisoformat("2025-04-01T14:22:17.562Z")

_people = {45: ("Jane", "Smith", "jane.smith"), 46: ("John", "Doe", "john.doe")}
_users = {
    ("user", n): {"first_name": a, "last_name": b, "email": f"{mail}@example.com"}
    for n, (a, b, mail) in _people.items()
}
_things = {
    ("deal", 789): {"name": "Enterprise Solution", "stage": {"name": "Proposal"}},
    ("contact", 456): {"name": "Alex Johnson", "email": "alex.johnson@acmecorp.com"},
    ("company", 345): {"name": "Acme Corp", "website": "https://acmecorp.com"},
}
RELATED = {ref: Entity(*ref, fields) for ref, fields in (_users | _things).items()}


def answer(case: str) -> Any:
    """Return the body of a case's answer."""
    return CASES[case]["response"]["body"]


def sent(case: str) -> Any:
    """Return the body of a case's request."""
    return CASES[case]["request"]["body"]


def stored(record: dict[str, Any]) -> Activity:
    """Return the activity that a record of the page shows."""
    blank = blank_activity(tenant_id=27, user_id=record["created_by_user_id"], now=NOW)
    stamps = {
        name: datetime.fromisoformat(record[name])
        for name in ("created_at", "updated_at", "deleted_at")
        if record[name]
    }
    body = {name: value for name, value in record.items() if name not in stamps}
    return apply(blank, body, TENANT)._replace(id=record["id"], **stamps)


def text(document: Any) -> bytes:
    """Return a document as it goes over the wire."""
    return orjson.dumps(document)


def test_every_case_names_its_evidence():
    assert {case["evidence"] for case in CASES.values()} == EVIDENCE
    assert all(case["source"] for case in CASES.values())


@pytest.mark.parametrize("place", [0, 1])
def test_list_sample_is_shown_whole(place: int):
    sample = answer("list")["data"][place]
    assert text(show(stored(sample), {}, TENANT)) == text(sample)


def test_object_sample_is_shown_whole():
    [sample] = answer("object")["data"]
    assert text(show(stored(sample), RELATED, TENANT, "compact")) == text(sample)


def test_get_sample_is_shown_whole():
    sample = answer("get")
    assert text(show(stored(sample), RELATED, TENANT, "detailed")) == text(sample)


def stamped(activity: Activity, case: str) -> Activity:
    """Return a written activity with the stamps of the page, which the core sets."""
    record = answer(case)
    deleted = record["deleted_at"]
    return activity._replace(
        id=record["id"],
        updated_at=datetime.fromisoformat(record["updated_at"]),
        deleted_at=deleted and datetime.fromisoformat(deleted),
    )


def test_writes_of_the_page_follow_one_another():
    activity = blank_activity(tenant_id=27, user_id=45, now=NOW)
    for case in ("create", "patch", "done"):
        activity = stamped(apply(activity, sent(case), TENANT), case)
        assert text(show(activity, {}, TENANT)) == text(answer(case))
    assert text(show(stamped(activity, "delete"), {}, TENANT)) == text(answer("delete"))


@pytest.mark.parametrize("case", ["list", "object", "get", "create", "patch", "done", "delete"])
def test_records_written_back_change_nothing(case: str):
    body = answer(case)
    for record in body.get("data", [body]):
        assert apply(stored(record), record, TENANT) == stored(record)


def test_list_request_is_read():
    listed = to_query(b"", json.dumps(sent("list")).encode(), WireSettings())
    who, done = HasMember("assignee_ids", (46,)), Compare("completed", "=", False)
    assert listed.query.where == AllOf((who, done))
    assert listed.query.order == (SortKey("start_date"), SortKey("start_time"), SortKey("id"))
    assert listed.tenant_id == 27


def test_selected_keys_are_shown():
    listed = to_query(CASES["selected"]["request"]["query"].encode(), b"", WireSettings())
    record = show(stored(answer("get")), {}, TENANT)
    assert text(select(record, listed.select)) == text(answer("selected")["data"][0])


@pytest.mark.parametrize("case", ["not_found", "not_found_text_id"])
def test_unknown_ids_are_quoted(case: str):
    raw = CASES[case]["request"]["path"].rpartition("/")[2]
    assert on_core_error(ActivityNotFound(raw)).get_data() == text(answer(case))


@pytest.mark.parametrize(
    "case", ["unknown_filter", "unknown_operator", "and_inside_or", "unknown_column"]
)
def test_bad_queries_answer_as_feathers_does(case: str):
    with pytest.raises((CoreError, FeathersError)) as caught:
        to_query(CASES[case]["request"]["query"].encode(), b"", WireSettings())
    render = on_feathers_error if isinstance(caught.value, FeathersError) else on_core_error
    assert render(caught.value).get_data() == text(answer(case))


def test_bad_body_names_every_field():
    blank = blank_activity(tenant_id=27, user_id=45, now=NOW)
    with pytest.raises(CoreError) as caught:
        apply(blank, sent("invalid_body"), TENANT)
    assert on_core_error(caught.value).get_data() == text(answer("invalid_body"))


SCHEMAS = {
    "list": schemas.Page,
    "object": schemas.Page,
    "limit_zero": schemas.Page,
    "get": schemas.DetailedActivity,
    "bulk_done": schemas.BulkResult,
} | dict.fromkeys(("create", "patch", "done", "delete"), schemas.Activity)


@pytest.mark.parametrize("case", [name for name in CASES if name != "selected"])
def test_answers_fit_their_schema(case: str):
    schema = SCHEMAS.get(case, schemas.ErrorBody)
    assert schema().validate(answer(case)) == {}


@pytest.mark.parametrize(
    ("case", "schema"),
    [
        ("create", schemas.NewActivity),
        ("patch", schemas.ActivityPatch),
        ("done", schemas.ActivityPatch),
        ("bulk_done", schemas.Bulk),
    ],
)
def test_requests_fit_their_schema(case: str, schema: type):
    assert schema().validate(sent(case)) == {}
