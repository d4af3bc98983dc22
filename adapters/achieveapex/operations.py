"""What the API document says of the operations, beyond their docstrings."""

from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException

from adapters.achieveapex import schemas
from adapters.achieveapex.body_values import TIME_PATTERN
from adapters.achieveapex.errors import (
    FeathersError,
    on_core_error,
    on_feathers_error,
    on_http_error,
)
from adapters.achieveapex.fields import EXPANSIONS, FIELDS, UNKNOWN_KEY, Field, Kind
from adapters.achieveapex.query_values import null_texts
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
from core.domain.errors import ForeignTenant, InvalidActivity, InvalidQuery
from core.write_rules import SEVERAL_MATCHES

IF_MATCH = header("If-Match", "Only change the activity if this is its ETag's version.")

_TYPES: dict[Kind, dict[str, Any]] = {
    "integer": {"type": "integer"},
    "members": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "pattern": TIME_PATTERN},
    "timestamp": {"type": "string", "format": "date-time"},
}
_OPERATORS = "A value, or operators in brackets, such as `[$gte]=...`, `[$in][0]=...`, `[$ne]=...`."
SELECT = parameter(
    "$select",
    "Keys of the answer; id is added.",
    type="array",
    items={"type": "string", "enum": [*(field.wire for field in FIELDS), *EXPANSIONS]},
)
SORT = parameter(
    "$sort",
    "1 ascending, -1 descending, as in `$sort[start_date]=1`.",
    type="object",
    propertyNames={"enum": [field.wire for field in FIELDS if field.kind != "json"]},
    additionalProperties={"enum": [1, -1]},
    example={"start_date": 1},
) | {"style": "deepObject"}


def _filter(field: Field) -> Operation:
    """Return the parameter of a condition, by the type of the column and what null is there."""
    schema, nulls = _TYPES.get(field.kind, {"type": "string"}), list(null_texts(field))
    if field.kind == "json":  # Nothing else of it can be compared.
        schema = {"enum": nulls}
    elif nulls:
        schema = {"anyOf": [schema, {"enum": nulls}]}
    return parameter(field.wire, _OPERATORS, **schema)


FILTERS = [_filter(field) for field in FIELDS]
NARROWING = [SELECT, *FILTERS]


NEW_ACTIVITY = {
    "organization_id": 27,
    "assigned_to_user_id": 46,
    "subject": "Onboarding Call",
    "note": "Initial onboarding for new client",
    "public_description": "Welcome to our service",
    "location": "Zoom Meeting",
    "start_date": "2025-05-01",
    "start_time": "10:00:00",
    "end_date": "2025-05-01",
    "end_time": "10:30:00",
    "duration": 30,
    "deal_id": 791,
    "contact_id": 458,
    "activity_type": "call",
    "done": False,
}
"""The sample of the vendor's page, for the organization of the demo data."""

PATCH = {"subject": "Onboarding and Product Overview Call", "duration": 45, "location": "Zoom"}
BULK = {"ids": [123, 124], "done": True}


def _render(error: Any) -> Response:
    if isinstance(error, FeathersError):
        return on_feathers_error(error)
    return (on_http_error if isinstance(error, HTTPException) else on_core_error)(error)


_failures = Failures(
    schemas.ErrorBody, _render, sources=("x-api-key", "Authorization", "x-access-token")
)
WRONG_QUERY: Errors = {
    "column": InvalidQuery("colour", UNKNOWN_KEY),
    "operator": FeathersError(400, "Invalid query parameter $regex", data={"$regex": "a"}),
}
WRONG_FIELD: Errors = {"field": InvalidActivity("done", "must be boolean")}
WRONG_BULK: Errors = {"ids": InvalidActivity("ids", "must be array of one id or more")}
AMBIGUOUS: Errors = {"organization": InvalidQuery("tenant_id", SEVERAL_MATCHES)}
FOREIGN: Errors = {"organization": ForeignTenant()}
CREATE_MANY: Errors = {"many": FeathersError(405, "Can not create multiple entries")}
PATCH_MANY: Errors = {"many": FeathersError(405, "Can not patch multiple entries")}


def _id(example: int) -> Operation:
    return activity_id(example, type="string", pattern="^[1-9][0-9]{0,15}$")


LIST: Operation = {
    "operationId": "findActivities",
    "parameters": [
        parameter("$limit", "Activities a page.", type="integer", minimum=0, default=10),
        parameter("$skip", "Matches to pass over.", type="integer", minimum=0, default=0),
        SORT,
        SELECT,
        parameter(
            "fastJoinForActivityList",
            f"Add {', '.join(EXPANSIONS)}.",
            type="boolean",
            default=False,
        ),
        *FILTERS,
    ],
    "responses": success(200, "A page, and the number of all matches.")
    | _failures(414, own={400: WRONG_QUERY, 403: NOT_READING | FOREIGN}),
}
CREATE: Operation = {
    "operationId": "createActivity",
    "parameters": [
        IDEMPOTENCY_KEY,
        SELECT,
    ],
    "requestBody": body(schemas.NewActivity, NEW_ACTIVITY),
    "responses": success(201, "The new activity.")
    | _failures(409, 413, own={400: WRONG_FIELD, 403: FOREIGN, 405: CREATE_MANY}),
}
BULK_UPDATE: Operation = {
    "operationId": "patchActivities",
    "requestBody": body(schemas.Bulk, BULK),
    "responses": success(200, "The ids that were found.")
    | _failures(413, own={400: WRONG_BULK | AMBIGUOUS, 403: FOREIGN, 405: PATCH_MANY}),
}
READ: Operation = {
    "operationId": "getActivity",
    "parameters": [
        _id(123),
        header("If-None-Match", "Answer 304 if this is still the ETag."),
        *NARROWING,
    ],
    "responses": success(200, "The activity.", etag=True)
    | {"304": {"description": "The ETag is still right."}}
    | _failures(404, 414, own={400: WRONG_QUERY | AMBIGUOUS, 403: NOT_READING | FOREIGN}),
}
UPDATE: Operation = {
    "operationId": "patchActivity",
    "parameters": [_id(123), IF_MATCH, *NARROWING],
    "requestBody": body(schemas.ActivityPatch, PATCH),
    "responses": success(200, "The activity as it is now.")
    | _failures(404, 412, 413, own={400: WRONG_FIELD | AMBIGUOUS, 403: FOREIGN}),
}
DELETE: Operation = {
    "operationId": "removeActivity",
    "parameters": [_id(124), IF_MATCH, *NARROWING],
    "responses": success(200, "The activity as it was.")
    | _failures(404, 412, own={400: WRONG_QUERY | AMBIGUOUS, 403: FOREIGN}),
}
