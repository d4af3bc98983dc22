"""What the API document says of the seven operations, beyond their docstrings.

The names of parameters, bodies and answers are those of Deskera's page. Descriptions of success
come with the views; what is here is merged into them.
"""

from adapters.deskera import schemas
from adapters.deskera.filters import KEYS
from adapters.deskera.grammar import MAX_BYTES
from adapters.deskera.query import DEFAULT_PAGE_SIZE, DEFAULT_SORT, MAX_PAGE_SIZE, SORT_FIELDS
from adapters.openapi import Operation, body, failures, header, parameter
from core.domain.model import MAX_ID, MAX_LINKED_IDS

REASONS = {
    400: "The body, a parameter or the query cannot be read.",
    401: "There is no usable credential.",
    403: "The credential may not do this.",
    404: "There is no such activity, or none that the caller may know of.",
    409: "The Idempotency-Key came with another body before.",
    412: "The activity has another version than If-Match names.",
    413: "The body is too large.",
    503: "The service cannot answer for the moment.",
}
QUERY = (
    "Conditions joined by commas, such as `name=act,contact_id=179642,date>1628121600`. Keys: "
    f"{', '.join(KEYS)}. Different keys must all match; of a repeated key any value may. `name` "
    "is found inside names, whatever the case; `date` is the start, in seconds since 1970 or as a "
    "day, and also takes > >= < <=; `key!null` matches any value that is set. Text may stand in "
    '"quotes".'
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


def _failures(*statuses: int) -> Operation:
    return failures({401, 403, 503, *statuses}, REASONS, schemas.ErrorBody)


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
            "The direction, in any case.",
            type="string",
            pattern="^([Aa][Ss][Cc]|[Dd][Ee][Ss][Cc])$",
            default="DESC",
        ),
        parameter("query", QUERY, type="string", maxLength=MAX_BYTES),
    ],
    "responses": _failures(400),
}
CREATE: Operation = {
    "operationId": "createActivity",
    "parameters": [
        header("Idempotency-Key", "A repeat with the same key and body gives the first answer."),
    ],
    "requestBody": body(schemas.ActivityBody, SAMPLE_BODY),
    "responses": _failures(400, 409, 413),
}
READ: Operation = {
    "operationId": "getActivity",
    "parameters": [header("If-None-Match", "Answer 304 if this is still the ETag.")],
    "responses": {"304": {"description": "The ETag is still right."}} | _failures(404),
}
UPDATE: Operation = {
    "operationId": "updateActivity",
    "parameters": [IF_MATCH],
    "requestBody": body(schemas.ActivityBody, SAMPLE_BODY),
    "responses": _failures(400, 404, 412, 413),
}
DELETE: Operation = {
    "operationId": "deleteActivity",
    "parameters": [IF_MATCH],
    "responses": _failures(404, 412),
}
BULK_UPDATE: Operation = {
    "operationId": "updateActivities",
    "requestBody": body(
        schemas.MultiActivityUpdate, {"ids": [246, 107], "visibility_type": "private"}
    ),
    "responses": _failures(400, 413),
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
        [1, 2],
    ),
    "responses": _failures(400, 413),
}
