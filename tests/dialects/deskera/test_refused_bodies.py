"""Bodies that Deskera's dialect refuses, naming what is wrong."""

from typing import Any

import pytest
from support.deskera_api import (
    BEYOND,
    BULK_DELETE,
    BULK_UPDATE,
    CHANGES,
    PLACE,
    TOO_LARGE,
    Api,
    base64,
    fields_of,
    refusal,
    refused,
)

WRONG_IDS = [5, "1", {}, True, [0], [-1], ["1"], [1.0], [True], [None], [[1]], [BEYOND], [1] * 1001]
WRONG_FLAGS = ["true", "", 0, 1, 1.0, [], {}]
WRONG_TEXTS = [5, 1.5, True, [], {}]
WRONG_NUMBERS = ["1227", -1, 1.0, 1.5, True, [], {}, BEYOND, -BEYOND, 10**400]
WRONG_STAMPS = [
    *(1628121600, True, [], {}, "", "now", "2021-08-05", "2021-08-05T13:15:49"),
    *("2021-08-05 13:15:49Z", "2021-08-05T13:15Z", "2021-08-05T13:15:49+0530"),
    *("2021-02-29T00:00:00Z", "2021-13-05T00:00:00Z", "2021-08-05T24:00:00Z"),
    *("2021-08-05T13:15:60Z", "2021-08-05T13:15:49.Z", "2021-08-05T13:15:49.1234567890Z"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z"),
    "٢٠٢١-08-05T13:15:49Z",
]
WRONG = {
    "name": WRONG_TEXTS,
    "activity_type": [*WRONG_TEXTS, "party", "Call", " call"],
    "duration": [
        *(-1, 1.0, 1.5, True, [], {}, BEYOND),
        *("1:30", "h", "1h21", "-1h 5m", "1.5h", "9" * 20),
    ],
    "notes": [
        *WRONG_TEXTS,
        *("not base64!", "VGVzdA=", "VGVz dA==", base64("\0"), "_-8=", "/w==", "é"),
    ],
    "visibility_type": [*WRONG_TEXTS, "", "secret", "Team"],
    "is_availability": WRONG_FLAGS,
    "is_send_invitation": WRONG_FLAGS,
    "is_send_contacts_invitation": WRONG_FLAGS,
    "assignee_ids": WRONG_IDS,
    "contact_ids": WRONG_IDS,
    "organization_ids": WRONG_IDS,
    "linked_to": WRONG_NUMBERS,
    "owner_id": WRONG_NUMBERS,
    "is_status": WRONG_FLAGS,
    "source": WRONG_TEXTS,
    "source_id": WRONG_TEXTS,
    "user_timezone": [*WRONG_TEXTS, "Mars/Base", "+05:30", "asia/kolkata", "../etc/passwd", "UTC "],
    "start": WRONG_STAMPS,
    "end": WRONG_STAMPS,
}
UNREADABLE = {
    "empty": b"",
    "blank": b" \r\n\t",
    "half": b'{"name":"a"',
    "two": b'{"name":"a"}{}',
    "a comment": b'{"name":"a"} // b',
    "a trailing comma": b'{"name":"a",}',
    "single quotes": b"{'name':'a'}",
    "a form": b"name=a&is_status=true",
    "not UTF-8": b'{"name":"\xff"}',
    "UTF-16": '{"name":"a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name":"a"}',
    "a raw NUL": b'{"name":"a\x00"}',
    "NaN": b'{"linked_to":NaN}',
    "infinity": b'{"linked_to":-Infinity}',
    "5,000 digits": b'{"linked_to":' + b"9" * 5000 + b"}",
    "100,000 brackets": b"[" * 100_000,
    "100,000 braces": b'{"a":' * 100_000,
    "the documented broken sample": b'{"ids": [246, 107], "visibility_type: "private"}',
}
IMPOSSIBLE_TEXTS = {
    b'{"name":"a\\u0000"}': "name",
    b'{"name":"a\\ud800"}': "name",
    b'{"name":"\\udc00\\ud800"}': "name",
    b'{"source":"\\ud83d"}': "source",
    b'{"notes":"\\ud800"}': "notes",
    b'{"unknown":["a",{"b":"\\u0000"}]}': "unknown[1].b",
    b'{"\\u0000":1}': "body",
    b'{"linked_to":1e400}': "linked_to",
}
WRONG_BULKS: list[tuple[dict[str, Any], list[str]]] = [
    ({"is_status": True}, ["ids"]),
    ({"ids": [1], "is_status": "true"}, ["is_status"]),
    ({"ids": [1], "visibility_type": "secret"}, ["visibility_type"]),
    ({"ids": [], "is_status": 1, "visibility_type": 5}, ["ids", "is_status", "visibility_type"]),
    *(({"ids": wrong, "is_status": True}, ["ids"]) for wrong in [None, [], *WRONG_IDS]),
]


@pytest.mark.parametrize("key", WRONG)
def test_wrong_value_names_its_key(call: Api, key: str):
    before = call.read(call.create())
    for wrong in WRONG[key]:
        for method, path in (("POST", PLACE), ("PUT", 1)):
            assert fields_of(call(method, path, json={key: wrong})) == (400, [key]), wrong
    assert call.page() == ([1], 1)
    assert call.read(1) == before


def test_all_wrong_keys_are_named(call: Api):
    body = {key: wrong[0] for key, wrong in WRONG.items()}
    status, error = refused(call("POST", json=body))
    assert (status, error["httpStatus"]) == (400, "BAD_REQUEST")
    assert [problem["field"] for problem in error["errors"]] == [*WRONG]
    assert error["errorMessage"] == "; ".join(
        f"{problem['field']}: {problem['error']}" for problem in error["errors"]
    )


def test_end_before_start_is_refused(call: Api):
    start, end, reason = "2021-08-05T13:00:00Z", "2021-08-05T18:29:59+05:30", "is before start"
    expected = refusal(400, "BAD_REQUEST", f"end: {reason}", ("end", reason))
    assert refused(call("POST", json={"start": start, "end": end})) == expected
    call.create(start=start)
    assert refused(call("PUT", 1, json={"end": end})) == expected
    assert call("PUT", 1, json={"end": "2021-08-05T18:30:00+05:30"}).status_code == 200


def test_duration_beyond_calendar_is_refused(call: Api):
    body = {"start": "9999-01-01T00:00:00Z", "duration": BEYOND - 1}
    assert fields_of(call("POST", json=body)) == (400, ["duration"])


def test_unreadable_body_is_refused(call: Api):
    call.create()
    for name, data in UNREADABLE.items():
        for method, path, body in CHANGES:
            if body is not None:
                assert fields_of(call(method, path, data=data)) == (400, ["body"]), name
    assert call.page() == ([1], 1)


def test_body_must_be_an_object(call: Api):
    call.create()
    reason = "must be a JSON object"
    expected = refusal(400, "BAD_REQUEST", f"body: {reason}", ("body", reason))
    for data in (b"null", b"5", b'"name"', b"true", b"[]", b'[{"name":"a"}]'):
        for method, path in (("POST", PLACE), ("PUT", 1), ("PATCH", BULK_UPDATE)):
            assert refused(call(method, path, data=data)) == expected, data


def test_impossible_text_is_refused(call: Api):
    call.create()
    for data, place in IMPOSSIBLE_TEXTS.items():
        for method, path in (("POST", PLACE), ("PUT", 1)):
            assert fields_of(call(method, path, data=data)) == (400, [place]), data
    assert call.page() == ([1], 1)


def test_wrong_bulk_update_is_refused(call: Api):
    call.create()
    for body, names in WRONG_BULKS:
        status, fields = fields_of(call("PATCH", BULK_UPDATE, json=body))
        assert (status, sorted(fields)) == (400, names), body
    assert call.read(1)["is_status"] is False


def test_wrong_bulk_delete_is_refused(call: Api):
    call.create()
    assert fields_of(call("POST", BULK_DELETE, data=b"null")) == (400, ["body"])
    for body in ([], {"ids": [1]}, *WRONG_IDS):
        assert fields_of(call("POST", BULK_DELETE, json=body)) == (400, ["body"]), body
    assert call.page() == ([1], 1)


def test_large_body_is_refused(call: Api):
    call.create()
    for method, path, body in CHANGES:
        if body is not None:
            assert refused(call(method, path, data=b" " * (2**20 + 1))) == TOO_LARGE
