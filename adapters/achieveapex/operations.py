"""What the API document says of the operations, beyond their docstrings."""

from typing import Any

from marshmallow import Schema

from adapters.achieveapex import schemas
from adapters.achieveapex.fields import EXPANSIONS, FIELDS, Kind
from adapters.openapi import JSON, Operation, failures, header, parameter

REASONS = {
    400: "The query or a field cannot be read; each is named.",
    404: "No such activity, or none that the filters match.",
    405: "Not offered, in the words of stock Feathers.",
    409: "The Idempotency-Key was used with another body.",
    412: "The activity is no longer what If-Match names.",
}
IF_MATCH = header("If-Match", "Only change the activity if this is its ETag's version.")

_TYPES: dict[Kind, dict[str, Any]] = {
    "integer": {"type": "integer"},
    "members": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
}
_OPERATORS = "A value, or operators in brackets, such as `[$gte]=...`, `[$in][0]=...`, `[$ne]=...`."
SELECT = parameter(
    "$select", "Keys of the answer; id is added.", type="array", items={"type": "string"}
)
SORT = parameter(
    "$sort",
    "1 ascending, -1 descending, as in `$sort[start_date]=1`.",
    type="object",
    additionalProperties={"enum": [1, -1]},
    example={"start_date": 1},
) | {"style": "deepObject"}
FILTERS = [
    parameter(field.wire, _OPERATORS, **_TYPES.get(field.kind, {"type": "string"}))
    for field in FIELDS
]
NARROWING = [SELECT, *FILTERS]


def _body(schema: type[Schema]) -> Operation:
    return {"required": True, "content": {JSON: {"schema": schema}}}


def _failures(*statuses: int) -> Operation:
    return failures(statuses, REASONS, schemas.ErrorBody)


LIST: Operation = {
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
    "responses": _failures(400),
}
CREATE: Operation = {
    "parameters": [SELECT],
    "requestBody": _body(schemas.NewActivity),
    "responses": _failures(400, 405, 409),
}
BULK_UPDATE: Operation = {
    "requestBody": _body(schemas.Bulk),
    "responses": _failures(400, 405),
}
READ: Operation = {"parameters": NARROWING, "responses": _failures(400, 404)}
UPDATE: Operation = {
    "parameters": [IF_MATCH, *NARROWING],
    "requestBody": _body(schemas.ActivityPatch),
    "responses": _failures(400, 404, 412),
}
DELETE: Operation = {
    "parameters": [IF_MATCH, *NARROWING],
    "responses": _failures(400, 404, 412),
}
