"""The yardstick's application: flask-smorest views over ORM objects, an exact count a page."""

import os
from functools import cache
from typing import Any, cast
from zoneinfo import ZoneInfo

import jwt
from flask import Flask, abort, g, request
from flask.json.provider import DefaultJSONProvider
from flask.views import MethodView
from flask_smorest import Api, Blueprint
from sqlalchemy import ColumnElement, create_engine, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, scoped_session, selectinload, sessionmaker

from deploy.bench.usual import achieveapex, deskera
from deploy.bench.usual.models import Activity, Deal, Tenant
from deploy.bench.workload import AUDIENCE, ISSUER

session: scoped_session[Session] = scoped_session(sessionmaker())
deskera_blueprint = Blueprint("deskera", __name__, url_prefix="/v1/crm")
apex_blueprint = Blueprint("achieveapex", __name__)

SORTS = {
    "id": Activity.id,
    "name": Activity.subject,
    "start": Activity.start_at,
    "end": Activity.end_at,
    "created_at": Activity.created_at,
    "updated_at": Activity.updated_at,
}
DESKERA_PARTS = (
    selectinload(Activity.assignees),
    selectinload(Activity.contacts),
    selectinload(Activity.companies),
    selectinload(Activity.owner),
    selectinload(Activity.deal).options(
        selectinload(Deal.contact), selectinload(Deal.company), selectinload(Deal.owner)
    ),
)
APEX_PARTS = (
    selectinload(Activity.assignees),
    selectinload(Activity.contacts),
    selectinload(Activity.companies),
)
APEX_EXPANDED_PARTS = (
    *APEX_PARTS,
    selectinload(Activity.creator),
    selectinload(Activity.deal),
)


def _live() -> tuple[ColumnElement[bool], ...]:
    return Activity.tenant_id == g.tenant_id, Activity.deleted_at.is_(None)


def _total() -> int:
    return session.scalar(select(func.count()).select_from(Activity).where(*_live())) or 0


@cache
def _zone(tenant_id: int) -> ZoneInfo:
    tenant = session.get_one(Tenant, tenant_id)
    return ZoneInfo(tenant.deskera_timezone)


@deskera_blueprint.route("/activities")
class DeskeraActivities(MethodView):
    """Deskera's list."""

    @deskera_blueprint.arguments(deskera.DeskeraQuery, location="query")
    @deskera_blueprint.response(200, deskera.DeskeraPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List activities."""
        g.zone = _zone(g.tenant_id)
        keys = (SORTS[query["sort_by"]], Activity.id)
        is_descending = query["sort_dir"] == "DESC"
        found = session.scalars(
            select(Activity)
            .where(*_live())
            .order_by(*(key.desc() if is_descending else key.asc() for key in keys))
            .limit(query["page_size"])
            .offset((query["page"] - 1) * query["page_size"])
            .options(*DESKERA_PARTS)
        ).all()
        total = _total()
        pagination = {"page": query["page"], "total_records": total, "is_zero_state": total == 0}
        return {"data": found, "pagination_info": pagination}


@apex_blueprint.route("/activities")
class ApexActivities(MethodView):
    """AchieveApex's list."""

    @apex_blueprint.arguments(achieveapex.ApexQuery, location="query")
    @apex_blueprint.response(200, achieveapex.ApexPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List activities."""
        found = session.scalars(
            select(Activity)
            .where(*_live())
            .order_by(Activity.updated_at.desc())
            .limit(query["limit"])
            .offset(query["skip"])
            .options(*APEX_PARTS)
        ).all()
        return {**query, "total": _total(), "data": found}


@apex_blueprint.route("/activities/<int:activity_id>")
class ApexActivity(MethodView):
    """AchieveApex's single activity."""

    @apex_blueprint.response(200, achieveapex.ApexExpandedActivityInfo)
    def get(self, activity_id: int) -> Activity:
        """Return one activity."""
        found = session.scalars(
            select(Activity)
            .where(*_live(), Activity.id == activity_id)
            .options(*APEX_EXPANDED_PARTS)
        ).first()
        if found is None:
            abort(404)
        return found


def _authenticate() -> None:
    token = request.headers.get("x-access-token") or request.headers.get(
        "authorization", ""
    ).removeprefix("Bearer ")
    try:
        claims = jwt.decode(
            token, os.environ["JWT_SECRET"], algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER
        )
    except jwt.InvalidTokenError:
        abort(401)
    g.tenant_id = claims["organization_id"]


def create_app() -> Flask:
    """Make the application; `DATABASE_URL` and `JWT_SECRET` come from the environment."""
    app = Flask(__name__)
    app.config.update(API_TITLE="usual", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    cast(DefaultJSONProvider, app.json).sort_keys = False
    url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")
    session.configure(bind=create_engine(url))
    app.before_request(_authenticate)
    app.teardown_request(lambda _: session.remove())
    api = Api(app)
    api.register_blueprint(deskera_blueprint)
    api.register_blueprint(apex_blueprint)
    return app
