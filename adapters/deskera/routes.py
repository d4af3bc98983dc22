"""Deskera's activity API: /v1/crm/activities and what is below it."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Response, request
from flask.blueprints import BlueprintSetupState
from flask_smorest import Blueprint
from werkzeug.routing import IntegerConverter, Map

from adapters.cors import allow_preflights
from adapters.deskera import operations, schemas
from adapters.deskera.bodies import BULK_BODY_KEYS, bulk_change, bulk_ids, ignored_keys, object_body
from adapters.deskera.errors import on_core_error
from adapters.deskera.query import ListRequest, to_query
from adapters.deskera.translate import apply, ignored, references, show
from adapters.http import (
    activities,
    empty_response,
    idempotency_key,
    if_match_versions,
    json_body,
    json_response,
    mark_shown,
    principal,
    record_cache,
)
from adapters.own_headers import add_counts, add_ignored
from adapters.plain_views import PlainView
from adapters.rendered_records import PageRecords
from core.domain.errors import CoreError
from core.domain.model import MAX_ID, Activity, Page, Tenant, blank_activity

NAME = "deskera"
_ANYWHERE = Tenant(0, "", "UTC", "UTC")
_BLANK = blank_activity(tenant_id=0, user_id=0, now=datetime(1970, 1, 1, tzinfo=UTC))

blueprint = Blueprint(
    NAME, __name__, url_prefix="/v1/crm", description="Activities as Deskera's CRM API has them."
)
blueprint.register_error_handler(CoreError, on_core_error)


class ActivityIdConverter(IntegerConverter):
    """Matches an id that can be, in plain digits; whatever else stands there is not found."""

    regex = r"[0-9]{1,16}"

    def __init__(self, url_map: Map) -> None:
        """Bound the id to what a JSON number can hold."""
        super().__init__(url_map, min=1, max=MAX_ID)


@blueprint.record_once
def _register_converter(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["deskera_activity_id"] = ActivityIdConverter


@blueprint.route("/activities", strict_slashes=False)
class ActivityList(PlainView):
    """The activities of the caller's tenant."""

    @blueprint.response(200, schemas.ActivityResponse)
    @blueprint.doc(**operations.LIST)
    def get(self) -> Response:
        """Return one page of the activities that match a query.

        `totalRecords` counts all matches; `isZeroState` is true while the tenant has no activity
        that the caller may see. Private activities are there for those concerned alone.
        """
        requested = to_query(request.query_string)
        records = PageRecords(record_cache(), NAME, references)
        page = activities().page(
            principal(), requested.query, expand=records.expand, knows=records.knows
        )
        mark_shown(page.tenant.id, page.versions)
        return add_ignored(json_response(_envelope(page, records, requested)), requested.ignored)

    @blueprint.response(201, schemas.ActivityId)
    @blueprint.doc(**operations.CREATE)
    def post(self) -> Response:
        """Create an activity; every key may be left out.

        The owner is the caller unless `owner_id` says otherwise.
        """
        body = json_body()
        key = idempotency_key(NAME, body)
        answer = activities().create(principal(), _write(body), _id_answer, idempotency=key)
        # From the body alone, as the record of a repeat is not read again; and in any zone, as
        # two instants have the same span in all of them.
        has_span = {"end", "duration"} <= object_body(body).keys()
        made = apply(_BLANK, body, _ANYWHERE) if has_span else _BLANK
        return _written(json_response(answer, 201), made, body)


@blueprint.route("/activities/<deskera_activity_id:activity_id>", strict_slashes=False)
class ActivityItem(PlainView):
    """One activity."""

    @blueprint.response(200, schemas.Activity)
    @blueprint.doc(**operations.READ)
    def get(self, activity_id: int) -> Response:
        """Return one activity, with an ETag.

        Its assignees, contacts, organizations, deal and owner are shown as the directory has them.
        """
        activity, related, tenant, versions = activities().get(
            principal(), activity_id, expand=lambda found, _: references(found)
        )
        if versions is not None:
            mark_shown(tenant.id, versions)
        document = show(activity, related, tenant)
        return _answered(json_response(document, etag_version=activity.version))

    @blueprint.response(200, schemas.ActivityId)
    @blueprint.doc(**operations.UPDATE)
    def put(self, activity_id: int) -> Response:
        """Change those keys of an activity that the body carries; the others stay.

        An activity read from here can be sent back as a whole: keys that carry what is shown
        already, and keys that are not a client's to write, change nothing.
        """
        body = json_body()
        found = activities().change(
            principal(), activity_id, _write(body), if_versions=if_match_versions()
        )
        return _written(json_response({"id": activity_id}), found.activity, body)

    @blueprint.response(204)
    @blueprint.doc(**operations.DELETE)
    def delete(self, activity_id: int) -> Response:
        """Delete one activity.

        It is found no more, neither here nor by AchieveApex's clients.
        """
        activities().remove(principal(), activity_id, if_versions=if_match_versions())
        return _answered(empty_response(204))


@blueprint.route("/activities/bulkUpdate", strict_slashes=False)
class BulkUpdate(PlainView):
    """The same change to several activities."""

    @blueprint.response(200)
    @blueprint.doc(**operations.BULK_UPDATE)
    def patch(self) -> Response:
        """Change the visibility or the status of several activities; unknown ids are skipped.

        The headers tell how many ids were found, and how many were not.
        """
        sent = json_body()
        activity_ids, body = bulk_change(sent)
        found = activities().change_many(principal(), activity_ids, _write(body))
        response = add_counts(empty_response(200), activity_ids, found)
        return _answered(response, ignored_keys(sent, BULK_BODY_KEYS))


@blueprint.route("/activities/bulkDelete", strict_slashes=False)
class BulkDelete(PlainView):
    """Several activities, deleted together."""

    @blueprint.response(204)
    @blueprint.doc(**operations.BULK_DELETE)
    def post(self) -> Response:
        """Delete several activities; the body is a bare list of ids, unknown ones are skipped.

        The headers tell how many ids were found, and how many were not.
        """
        activity_ids = bulk_ids(json_body())
        found = activities().remove_many(principal(), activity_ids)
        return _answered(add_counts(empty_response(204), activity_ids, found))


allow_preflights(
    blueprint,
    "/activities",
    "/activities/<deskera_activity_id:activity_id>",
    "/activities/bulkUpdate",
    "/activities/bulkDelete",
)


def _answered(response: Response, ignored_keys: Iterable[str] = ()) -> Response:
    """Return the response of a call that takes no parameters, with what was ignored named."""
    return add_ignored(response, [*request.args, *ignored_keys] if request.args else ignored_keys)


def _written(response: Response, activity: Activity, body: dict[str, Any]) -> Response:
    return _answered(response, ignored(activity, body))


def _envelope(page: Page, records: PageRecords, requested: ListRequest) -> dict[str, Any]:
    return {
        "data": records.render(page, lambda each: show(each, page.related, page.tenant)),
        "paginationInfo": {
            "page": requested.page_number,
            "totalRecords": page.total,
            "isZeroState": page.visible_total == 0,
        },
    }


def _write(body: Any) -> Callable[[Activity, Tenant], Activity]:
    return lambda activity, tenant: apply(activity, body, tenant)


def _id_answer(activity: Activity, _tenant: Tenant) -> bytes:
    return orjson.dumps({"id": activity.id})
