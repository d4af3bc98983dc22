"""What the API document says of the seven operations, beyond their docstrings.

The names of parameters, bodies and answers are those of Deskera's page. Descriptions of success
come with the views; what is here is merged into them.
"""

from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException

from adapters.deskera import schemas
from adapters.deskera.errors import on_core_error, on_http_error
from adapters.deskera.filters import KEYS
from adapters.deskera.grammar import MAX_BYTES
from adapters.deskera.query import DEFAULT_PAGE_SIZE, DEFAULT_SORT, MAX_PAGE_SIZE, SORT_FIELDS
from adapters.openapi import (
    IDEMPOTENCY_KEY,
    NOT_READING,
    Errors,
    Failures,
    Operation,
    activity_id,
    body,
    header,
    parameter,
    success,
)
from core.domain.errors import InvalidActivity, InvalidQuery
from core.domain.model import MAX_ID, MAX_LINKED_IDS
from core.write_rules import SEVERAL_MATCHES

QUERY = (
    "Conditions joined by commas, such as `name=act,contact_id=179642,date>1628121600`. Keys: "
    f"{', '.join(KEYS)}. Different keys must all match; of a repeated key any value may. `!=` asks "
    "for another value than is shown, of lists for no such member. `name` is found inside names, "
    "whatever the case. Start, end (`date` is the start) and timestamps take RFC 3339, seconds "
    "since 1970 or a day, and also > >= < <=. `key!null` matches any value that is set. Text may "
    'stand in "quotes".'
)
SAMPLE_BODY = {
    "name": "Act-001",
    "activity_type": "call",
    "start": "2021-08-05T13:15:49Z",
    "end": "2021-08-05T14:15:49Z",
    "notes": "VGVzdCBOb3RlPGJyPg==",
    "is_send_invitation": True,
    "is_send_contacts_invitation": True,
    "user_timezone": "Asia/Singapore",
    "contact_ids": [179642, 179640],
    "organization_ids": [196517, 196518],
    "assignee_ids": [46944],
    "linked_to": 1227,
    "is_status": False,
}


def _render(error: Any) -> Response:
    return (on_http_error if isinstance(error, HTTPException) else on_core_error)(error)


_failures = Failures(
    schemas.ErrorBody, _render, sources=("x-access-token", "x-api-key", "Authorization")
)
WRONG_BODY: Errors = {"field": InvalidActivity("end", "is before start")}
WRONG_PARAMETER: Errors = {"parameter": InvalidQuery("pageSize", "must be a whole number")}
WRONG_IDS: Errors = {"ids": InvalidActivity("ids", "must name at least one activity")}
NO_LIST: Errors = {"body": InvalidActivity("body", "must be a list of integers")}
AMBIGUOUS: Errors = {"tenant": InvalidQuery("tenant_id", SEVERAL_MATCHES)}


def _id(example: int) -> Operation:
    return activity_id(example, type="integer", minimum=1, maximum=MAX_ID)


IF_MATCH = header("If-Match", "Only change the activity if this is its ETag's version.")

LIST: Operation = {
    "operationId": "listActivities",
    "parameters": [
        parameter("page", "The page, counted from 1.", type="integer", minimum=1, default=1),
        parameter(
            "pageSize",
            "Activities on a page.",
            type="integer",
            minimum=1,
            maximum=MAX_PAGE_SIZE,
            default=DEFAULT_PAGE_SIZE,
        ),
        parameter(
            "sortBy",
            "The key to order by; ties are ordered by `id`, in the same direction.",
            type="string",
            enum=list(SORT_FIELDS),
            default=DEFAULT_SORT,
        ),
        parameter(
            "sortDir",
            "The direction, in any case; empty: DESC.",
            type="string",
            pattern="^([Aa][Ss][Cc]|[Dd][Ee][Ss][Cc])?$",
            default="DESC",
        ),
        parameter("query", QUERY, type="string", maxLength=MAX_BYTES),
    ],
    "responses": success(200, "One page, and the number of all matches.")
    | _failures(414, own={400: WRONG_PARAMETER, 403: NOT_READING}),
}
CREATE: Operation = {
    "operationId": "createActivity",
    "parameters": [IDEMPOTENCY_KEY],
    "requestBody": body(schemas.ActivityBody, SAMPLE_BODY),
    "responses": success(201, "The id of the new activity.")
    | _failures(409, 413, own={400: WRONG_BODY}),
}
READ: Operation = {
    "operationId": "getActivity",
    "parameters": [
        _id(81),
        header("If-None-Match", "Answer 304 if this is still the ETag."),
    ],
    "responses": success(200, "The activity.", etag=True)
    | {"304": {"description": "The ETag is still right."}}
    | _failures(404, own={400: AMBIGUOUS, 403: NOT_READING}),
}
UPDATE: Operation = {
    "operationId": "updateActivity",
    "parameters": [_id(1), IF_MATCH],
    "requestBody": body(schemas.ActivityBody, SAMPLE_BODY),
    "responses": success(200, "The id of the activity.")
    | _failures(404, 412, 413, own={400: WRONG_BODY | AMBIGUOUS}),
}
DELETE: Operation = {
    "operationId": "deleteActivity",
    "parameters": [_id(2), IF_MATCH],
    "responses": success(204, "Deleted.") | _failures(404, 412, own={400: AMBIGUOUS}),
}
BULK_UPDATE: Operation = {
    "operationId": "updateActivities",
    "requestBody": body(schemas.MultiActivityUpdate, {"ids": [1, 81], "is_status": True}),
    "responses": success(200, "Done, as far as the ids are known.", counts=True)
    | _failures(413, own={400: WRONG_IDS | AMBIGUOUS}),
}
BULK_DELETE: Operation = {
    "operationId": "deleteActivities",
    "requestBody": body(
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": MAX_ID},
            "minItems": 1,
            "maxItems": MAX_LINKED_IDS,
        },
        [2],
    ),
    "responses": success(204, "Deleted, as far as the ids are known.", counts=True)
    | _failures(413, own={400: NO_LIST | AMBIGUOUS}),
}
