"""Every request and response of Deskera's page, compared whole."""

from typing import Any

import orjson
import pytest
from support.deskera_page import BLANK, GOLDEN, RELATED, SHOWN_ACTIVITY, TENANT, golden

from adapters.deskera import schemas
from adapters.deskera.bodies import bulk_change, bulk_ids
from adapters.deskera.query import to_query
from adapters.deskera.translate import apply, show
from adapters.json_bodies import parse_json
from core.domain.errors import InvalidActivity
from core.domain.model import Activity
from core.domain.query import AllOf

WRITES = ["create", "create_curl", "update", "update_curl"]


def shown_text(activity: Activity) -> bytes:
    """Return the activity's JSON text, with the entities of the page."""
    return orjson.dumps(show(activity, RELATED, TENANT))


def test_every_case_is_used():
    tested = {"list", "list_query", "read", "delete", "bulk_update", "bulk_update_broken"}
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*tested, "bulk_delete", *WRITES}


def test_list_sample_is_shown_whole():
    envelope = golden("list")["response"]["body"]
    assert shown_text(SHOWN_ACTIVITY) == orjson.dumps(envelope["data"][0])


def test_read_sample_is_shown_whole():
    sample = golden("read")["response"]["body"]
    assert shown_text(SHOWN_ACTIVITY._replace(id=81)) == orjson.dumps(sample)


@pytest.mark.parametrize("case", ["list", "read"])
def test_answers_fit_their_schema(case: str):
    schema = schemas.ActivityResponse() if case == "list" else schemas.Activity()
    assert schema.validate(golden(case)["response"]["body"]) == {}


@pytest.mark.parametrize("case", ["list", "read"])
def test_shown_sample_written_back_changes_nothing(case: str):
    sample = golden(case)["response"]["body"]
    body = sample["data"][0] if case == "list" else sample
    assert apply(SHOWN_ACTIVITY, body, TENANT) == SHOWN_ACTIVITY


def test_list_request_asks_for_page_one():
    requested = to_query(golden("list")["request"]["query"].encode())
    assert (requested.page_number, requested.query[2:]) == (1, (10, 0))
    assert requested.query.order == (("updated_at", True), ("id", True))


def test_documented_query_has_ten_conditions():
    where = to_query(golden("list_query")["request"]["query"].encode()).query.where
    assert isinstance(where, AllOf)
    assert len(where.parts) == 10


@pytest.mark.parametrize("case", WRITES)
def test_written_sample_is_read_back(case: str):
    body = golden(case)["request"]["body"]
    assert schemas.ActivityBody().validate(body) == {}
    written = apply(BLANK._replace(id=1), body, TENANT)
    shown = orjson.loads(shown_text(written))
    fossils = {"assigned", "attendee", "availability"}
    expected: dict[str, Any] = {key: body[key] for key in body if key not in fossils} | {
        "notes": "Test Note<br>",
        "duration": "1h 0m",
        "start": "2021-08-05T18:45:49+05:30",
        "end": "2021-08-05T19:45:49+05:30",
    }
    assert {key: shown[key] for key in expected} == expected


@pytest.mark.parametrize("case", WRITES)
def test_write_is_answered_with_its_id(case: str):
    assert schemas.ActivityId().validate(golden(case)["response"]["body"]) == {}


def test_bulk_update_sample_is_read():
    body = golden("bulk_update")["request"]["body"]
    assert bulk_change(body) == ((246, 107), {"visibility_type": "private"})


def test_broken_bulk_update_sample_is_refused():
    with pytest.raises(InvalidActivity, match="body: is not valid JSON"):
        parse_json(golden("bulk_update_broken")["request"]["text"].encode())


def test_bulk_delete_sample_is_read():
    assert bulk_ids(golden("bulk_delete")["request"]["body"]) == (1, 2)


@pytest.mark.parametrize("case", ["delete", "bulk_update", "bulk_delete"])
def test_empty_answers_have_no_body(case: str):
    assert "body" not in golden(case)["response"]
