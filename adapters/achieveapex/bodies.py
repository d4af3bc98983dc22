"""Bodies of requests: what must be true of them whatever is stored."""

from typing import Any

from adapters.achieveapex.body_values import parse_id, parse_integer
from adapters.achieveapex.fields import UNKNOWN_KEY
from adapters.achieveapex.query import ListRequest
from adapters.http import json_body
from core.domain.errors import InvalidActivity
from core.domain.model import MAX_ID, MAX_LINKED_IDS
from core.domain.validators import Refused


def object_body() -> dict[str, Any]:
    """Return the request's body. Raises: InvalidActivity, unless it is a JSON object."""
    body = json_body()
    if not isinstance(body, dict):
        raise InvalidActivity("body", "must be object")
    return body


def tenant_of_write(requested: ListRequest, body: dict[str, Any]) -> int | None:
    """Return the organization that a write names in its body, or else in its query."""
    if "organization_id" not in body:
        return requested.tenant_id
    try:
        tenant_id = parse_id(body["organization_id"])
    except Refused as refusal:
        raise InvalidActivity("organization_id", str(refusal)) from refusal
    if requested.tenant_id not in (None, tenant_id):
        raise InvalidActivity("organization_id", "must be the one that the query names")
    return tenant_id


def bulk_ids(body: dict[str, Any]) -> list[int]:
    """Return the ids of a bulk call, after a check of its whole body.

    Raises: InvalidActivity, naming every field that is wrong.
    Source: docs/dialects/achieveapex.md A54, A55.
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
            parse_integer(number)
        except Refused as refusal:
            return [(f"ids[{place}]", str(refusal))]
    return []
