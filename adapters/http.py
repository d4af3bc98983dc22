"""What the views of both dialects need: the core, bodies, responses and preconditions."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, cast

import orjson
from flask import Response, current_app, g, request

from adapters.json_bodies import parse_json
from adapters.rendered_records import RecordCache
from core.activities import Activities
from core.domain.errors import InvalidActivity, record_too_large
from core.domain.model import MAX_PAGE_BYTES, IdempotencyKey, Principal, Versions

SHOWN = "adapters.shown"
"""Where `mark_shown` leaves the tenant and the versions for the server, in the environ."""
MAX_CACHED_QUERY_BYTES = 2048
"""Longer queries are cached nowhere: there are too many different ones."""
MAX_KEY_LENGTH = 255
EVERY_ORIGIN = "*"
ETAG = re.compile(r'(?:W/)?"(\d{1,18})-[0-9a-f]*"', re.ASCII)


@dataclass(frozen=True, slots=True)
class WireSettings:
    """The settings that belong to the wire: AchieveApex's page sizes, and browsers' origins."""

    apex_default_limit: int = 10
    apex_max_limit: int = 100
    cors_origins: tuple[str, ...] = (EVERY_ORIGIN,)


def activities() -> Activities:
    """Return the use cases on activities: the one door from a view into the core."""
    return cast(Activities, current_app.extensions["activities"])


def principal() -> Principal:
    """Return who is calling, as found by the gateway before the view."""
    return cast(Principal, g.principal)


def mark_shown(tenant_id: int, versions: Versions) -> None:
    """Note which state of a tenant the response shows; while that stands, so does it."""
    request.environ[SHOWN] = tenant_id, versions


def record_cache() -> RecordCache:
    """Return the records that were rendered for pages."""
    return cast(RecordCache, current_app.extensions["record_cache"])


def wire_settings() -> WireSettings:
    """Return the settings of the dialects."""
    return cast(WireSettings, current_app.extensions["wire_settings"])


def json_body() -> Any:
    """Return the request's body as JSON; raises InvalidActivity naming what is wrong with it."""
    raw = request.get_data()
    if not raw.strip():
        raise InvalidActivity("body", "is empty; JSON is expected")
    return parse_json(raw)


def json_response(payload: Any, status: int = 200, *, etag_version: int | None = None) -> Response:
    """Return a JSON answer; bytes are taken as JSON already.

    With `etag_version` the answer carries an ETag of that version and a digest of its body, and
    becomes 304 when `If-None-Match` names exactly that; it is a record that was read, and raises
    AnswerTooLarge where it is more than one answer may have.
    """
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    if etag_version is not None and len(body) > MAX_PAGE_BYTES:
        raise record_too_large(MAX_PAGE_BYTES)
    response = Response(body, status, content_type="application/json; charset=utf-8")
    if etag_version is None:
        return response
    digest = hashlib.blake2b(body, digest_size=8).hexdigest()
    etag = f"{etag_version}-{digest}"
    response.headers["ETag"] = f'"{etag}"'
    if_none_match = request.headers.get("If-None-Match")
    if if_none_match is not None and request.if_none_match.contains_weak(etag):
        response = Response(status=304, headers={"ETag": f'"{etag}"'})
    return response


def empty_response(status: int) -> Response:
    """Return an answer with neither body nor content type."""
    response = Response(b"", status)
    del response.headers["Content-Type"]
    return response


def if_match_versions() -> frozenset[int] | None:
    """Return the versions that `If-Match` accepts; None when it is absent or `*`.

    Of an entity tag only the version counts: the digest differs between representations.
    A tag that this service never made accepts no version.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return frozenset(int(version) for version in ETAG.findall(header))


def idempotency_key(dialect: str, body: Any) -> IdempotencyKey | None:
    """Return the request's Idempotency-Key with a digest of its parsed body, or None.

    Raises: InvalidActivity, if the key is empty or too long.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise InvalidActivity("Idempotency-Key", f"takes 1 to {MAX_KEY_LENGTH} characters")
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return IdempotencyKey(dialect, key, hashlib.sha256(canonical.encode()).digest())
