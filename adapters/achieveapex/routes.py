"""The views of `/activities`: check, call the core once, render.

Stock Feathers clients decide what is understood here; the texts for what is not offered are those
of stock Feathers, word for word (reference 2.9).
"""

from functools import partial
from typing import Any

import orjson
from flask import Response, request
from flask.views import MethodView

from adapters.achieveapex import schemas
from adapters.achieveapex.errors import FeathersError
from adapters.achieveapex.query import Asked
from adapters.achieveapex.translate import Expansion, apply, references, select, show
from adapters.achieveapex.views import (
    NAME,
    NOT_SUPPORTED,
    asked_for,
    blueprint,
    bulk_ids,
    documented,
    id_in_path,
    object_body,
    preflight,
    refuse_service_method,
    tenant_of_write,
)
from adapters.http import (
    MEMOISED_BYTES,
    activities,
    cached_response,
    idempotency_key,
    if_match_versions,
    json_body,
    json_response,
    principal,
)
from adapters.response_cache import CachedResponse
from core.activities import Write, no_references
from core.domain.errors import InvalidQuery
from core.domain.model import Activity, Found, Tenant
from core.domain.query import EVERYTHING

__all__ = ["ActivityItem", "ActivityList", "blueprint"]


@blueprint.route("/activities", strict_slashes=False)
class ActivityList(MethodView):
    """All activities of an organization."""

    @documented({200: schemas.Page}, 400, parameters=schemas.LISTING)
    def get(self) -> Response:
        """List activities.

        Filters are combined with AND; `$or` and `$and` take arrays of filters. The query may also
        be sent as `{"query": {...}}` in the body.
        """
        asked = asked_for()
        request_key = (request.query_string, request.get_data())
        render = partial(_page, asked)
        if sum(map(len, request_key)) > MEMOISED_BYTES:
            return json_response(render().body)
        return cached_response(NAME, request_key, render, tenant_id=asked.tenant_id)

    @documented(
        {201: schemas.Activity},
        400,
        405,
        409,
        body=schemas.NewActivity,
        parameters=[schemas.SELECT],
    )
    def post(self) -> Response:
        """Create an activity.

        A repeat with the same Idempotency-Key and body returns the first answer.
        """
        refuse_service_method()
        asked = asked_for()
        if isinstance(json_body(), list):
            raise FeathersError(405, "Can not create multiple entries")
        body = object_body()

        def render(activity: Activity, tenant: Tenant) -> bytes:
            return orjson.dumps(select(show(activity, {}, tenant), asked.select))

        answer = activities().create(
            principal(),
            _write(body),
            render,
            tenant_id=tenant_of_write(asked, body),
            idempotency=idempotency_key(NAME, body),
        )
        return json_response(answer, 201)

    @documented({200: schemas.BulkResult}, 400, 405, body=schemas.Bulk)
    def patch(self) -> Response:
        """Mark several activities as done, or as not done.

        Ids that are unknown are left out of the answer.
        """
        asked = asked_for()
        body = json_body()
        if not isinstance(body, dict) or "ids" not in body:
            raise FeathersError(405, "Can not patch multiple entries")
        if asked.query.where is not EVERYTHING:
            raise InvalidQuery("query", "does not narrow a bulk call down; name its ids")
        ids = bulk_ids(body)
        write = _write({"done": body["done"]})
        tenant_id = tenant_of_write(asked, body)
        found = activities().change_many(principal(), ids, write, tenant_id=tenant_id)
        return json_response({"updated": len(found), "ids": found})

    @documented({}, 400)
    def put(self) -> Response:
        """Refuse to replace all activities."""
        text = "You can not replace multiple instances. Did you mean 'patch'?"
        raise FeathersError(400, text)

    @documented({}, 405)
    def delete(self) -> Response:
        """Refuse to remove all activities."""
        raise FeathersError(405, "Can not remove multiple entries")

    @documented({204: None})
    def options(self) -> Response:
        """Answer a browser's preflight."""
        return preflight()


# A path and not an integer: clients send ids of any form, and expect each to be "not found".
@blueprint.route("/activities/<path:activity_id>", strict_slashes=False)
class ActivityItem(MethodView):
    """One activity."""

    @documented({200: schemas.DetailedActivity}, 400, 404, parameters=schemas.NARROWING)
    def get(self, activity_id: str) -> Response:
        """Return an activity with its related entities."""
        asked = asked_for()
        expands = asked.select is None or asked.names_expansion
        found = activities().get(
            principal(),
            id_in_path(activity_id),
            where=asked.query.where,
            tenant_id=asked.tenant_id,
            expand=references if expands else no_references,
        )
        record = select(show(*found, "detailed"), asked.select)
        return json_response(record, etag_version=found.activity.version)

    @documented(
        {200: schemas.Activity},
        *(400, 404, 412),
        body=schemas.ActivityPatch,
        parameters=schemas.NARROWING,
    )
    def patch(self, activity_id: str) -> Response:
        """Change the fields that are sent; `done` alone marks the activity as done."""
        asked = asked_for()
        body = object_body()
        found = activities().change(
            principal(),
            id_in_path(activity_id),
            _write(body),
            where=asked.query.where,
            tenant_id=tenant_of_write(asked, body),
            if_versions=if_match_versions(),
        )
        return _record(found, asked)

    @documented({200: schemas.Activity}, 400, 404, 412, parameters=schemas.NARROWING)
    def delete(self, activity_id: str) -> Response:
        """Delete an activity and return it; it is found no more."""
        asked = asked_for()
        found = activities().remove(
            principal(),
            id_in_path(activity_id),
            where=asked.query.where,
            tenant_id=asked.tenant_id,
            if_versions=if_match_versions(),
        )
        return _record(found, asked)

    @documented({}, 405)
    def put(self, activity_id: str) -> Response:
        """Refuse a full replacement, which the vendor does not document."""
        raise FeathersError(405, NOT_SUPPORTED.format("update"))

    @documented({}, 405)
    def post(self, activity_id: str) -> Response:
        """Refuse to create under a chosen id."""
        refuse_service_method()
        raise FeathersError(405, NOT_SUPPORTED.format("create"))

    @documented({204: None})
    def options(self, activity_id: str) -> Response:
        """Answer a browser's preflight."""
        return preflight()


def _page(asked: Asked) -> CachedResponse:
    expansion: Expansion = "compact" if asked.fast_join or asked.names_expansion else "none"
    expand = no_references if expansion == "none" else references
    page = activities().page(principal(), asked.query, tenant_id=asked.tenant_id, expand=expand)
    records = [
        select(show(activity, page.related, page.tenant, expansion), asked.select)
        for activity in page.activities
    ]
    _, _, limit, offset = asked.query
    body = {"total": page.total, "limit": limit, "skip": offset, "data": records}
    return CachedResponse(orjson.dumps(body), page.versions)


def _record(found: Found, asked: Asked) -> Response:
    """Return the record after a write, which never expands."""
    return json_response(select(show(*found), asked.select))


def _write(body: dict[str, Any]) -> Write:
    return lambda activity, tenant: apply(activity, body, tenant)
