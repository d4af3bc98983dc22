"""The blueprint, and what every view of it needs: documents, preflights, checked parameters."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from flask import Response, request
from flask_smorest import Blueprint

from adapters.achieveapex.errors import FeathersError, on_core_error, on_feathers_error
from adapters.achieveapex.fields import UNKNOWN_KEY, parse_id, whole_number
from adapters.achieveapex.query import Asked, to_query
from adapters.achieveapex.schemas import ErrorBody
from adapters.http import empty_response, json_body, wire_settings
from core.domain.errors import ActivityNotFound, CoreError, InvalidActivity
from core.domain.model import MAX_ID, MAX_LINKED_IDS
from core.domain.validators import Refused

NAME = "achieveapex"
View = TypeVar("View", bound=Callable[..., Response])
ID = re.compile(r"[1-9]\d{0,15}", re.ASCII)
NOT_SUPPORTED = "Method `{}` is not supported by this endpoint."
CORS_HEADERS = {
    "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
    "Access-Control-Allow-Headers": "accept, authorization, content-type, idempotency-key, "
    "if-match, if-none-match, x-access-token, x-api-key, x-request-id, x-service-method",
    "Access-Control-Max-Age": "86400",
}
REFUSALS = {
    400: "The query or a field cannot be read; each is named",
    404: "No such activity, or none that the filters match",
    405: "Not offered, in the words of stock Feathers",
    409: "The Idempotency-Key was used with another body",
    412: "The activity is no longer what If-Match names",
}

blueprint = Blueprint(NAME, __name__, description="Activities as AchieveApex serves them.")
blueprint.register_error_handler(CoreError, on_core_error)
blueprint.register_error_handler(FeathersError, on_feathers_error)


def allow_browsers(response: Response) -> Response:
    """Let pages of any origin read the answer, as generated Feathers apps do by default.

    Credentials travel in headers that a foreign page would have to know, never in cookies.
    """
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "ETag, X-Request-Id"
    return response


blueprint.after_request(allow_browsers)


def documented(
    answers: Mapping[int, type | None],
    *refusals: int,
    body: type | None = None,
    parameters: list[dict[str, Any]] | None = None,
) -> Callable[[View], View]:
    """Return a decorator that tells the published document what a view takes and answers."""
    responses: dict[str, Any] = {
        str(status): {"description": "As asked", **_content(schema)}
        for status, schema in answers.items()
    }
    for status in refusals:
        responses[str(status)] = {"description": REFUSALS[status], **_content(ErrorBody)}
    document: dict[str, Any] = {"responses": responses, "parameters": parameters or []}
    if body is not None:
        document["requestBody"] = {"required": True, **_content(body)}
    return cast(Callable[[View], View], blueprint.doc(**document))


def _content(schema: type | None) -> dict[str, Any]:
    return {} if schema is None else {"content": {"application/json": {"schema": schema}}}


def preflight() -> Response:
    """Return the answer to a browser that asks what it may send."""
    response = empty_response(204)
    response.headers.update(CORS_HEADERS)
    return response


def refuse_service_method() -> None:
    """Refuse Feathers' custom methods, which a header of a POST names (reference 2.9)."""
    method = request.headers.get("X-Service-Method")
    if method:
        raise FeathersError(405, NOT_SUPPORTED.format(method))


def asked_for() -> Asked:
    """Return the query of this request; only a GET has it in the body too."""
    body = request.get_data() if request.method in ("GET", "HEAD") else b""
    return to_query(request.query_string, body, wire_settings())


def id_in_path(raw: str) -> int:
    """Return the id in a path; what is no id is not found, in its own words (ledger L26)."""
    raw = raw.removesuffix("/")
    if not ID.fullmatch(raw) or int(raw) > MAX_ID:
        raise ActivityNotFound(raw)
    return int(raw)


def object_body() -> dict[str, Any]:
    """Return the request's body. Raises: InvalidActivity, unless it is a JSON object."""
    body = json_body()
    if not isinstance(body, dict):
        raise InvalidActivity("body", "must be object")
    return body


def tenant_of_write(asked: Asked, body: dict[str, Any]) -> int | None:
    """Return the organization that a write names in its body, or else in its query."""
    if "organization_id" not in body:
        return asked.tenant_id
    try:
        tenant_id = parse_id(body["organization_id"])
    except Refused as refusal:
        raise InvalidActivity("organization_id", str(refusal)) from refusal
    if asked.tenant_id not in (None, tenant_id):
        raise InvalidActivity("organization_id", "must be the one that the query names")
    return tenant_id


def bulk_ids(body: dict[str, Any]) -> list[int]:
    """Return the ids of a bulk call, after a check of its whole body (ledger L9).

    Raises: InvalidActivity, naming every field that is wrong.
    """
    allowed = ("ids", "done", "organization_id")
    problems = [(name, UNKNOWN_KEY) for name in body if name not in allowed]
    if "done" not in body:
        problems.append(("done", "must have required property 'done'"))
    elif not isinstance(body["done"], bool):
        problems.append(("done", "must be boolean"))
    problems += _problems_of_ids(body["ids"])
    if problems:
        raise InvalidActivity.from_problems(problems)
    # Numbers beyond what can be stored are like other unknown ids: not found.
    return [int(number) for number in body["ids"] if 0 < number <= MAX_ID]


def _problems_of_ids(ids: Any) -> list[tuple[str, str]]:
    if not isinstance(ids, list) or not ids:
        return [("ids", "must be array of one id or more")]
    if len(ids) > MAX_LINKED_IDS:
        return [("ids", f"must NOT have more than {MAX_LINKED_IDS} items")]
    for place, number in enumerate(ids):
        try:
            whole_number(number)
        except Refused as refusal:
            return [(f"ids[{place}]", str(refusal))]
    return []
