"""The overview: how the service does, now and in the last ten minutes, and its tenants in numbers.

The figures are of all workers of this gateway, as at /metrics, and of no tenant. The tenants are
those of the visitor's credential.
"""

from typing import Any, cast

from flask import Response, current_app, request

from core.domain.clock import Clock
from core.storage.database import Database
from core.storage.tenant_store import TenantFacts, Tenants
from gateway.console.charts import sparkline
from gateway.console.figures import cache_rows, dialect_rows, totals
from gateway.console.shell import blueprint, page, principal
from gateway.observability.health import Health
from gateway.observability.history import STEP_SECONDS, History

VIEW, TITLE = "console.overview", "Overview"
HISTORY = "metrics_history"
MAX_SHOWN_TENANTS = 20
MINUTE = 60


@blueprint.get("/")
def overview() -> Response:
    """Show the whole page."""
    seconds = round(STEP_SECONDS)
    return page("overview/page.html", **_figures(), **_tenants(), seconds=seconds)


@blueprint.get("/overview/figures")
def overview_figures() -> Response:
    """Show the part that tells of the service; it is loaded again every few seconds."""
    return page("overview/figures.html", **_figures())


@blueprint.get("/overview/tenants")
def overview_tenants() -> Response:
    """Show the part that tells of tenants; so is it."""
    return page("overview/tenants.html", **_tenants())


def _figures() -> dict[str, Any]:
    samples = cast(History, current_app.extensions[HISTORY]).samples()
    health, checks = cast(Health, current_app.extensions["health"]).readiness()
    return {
        "health": health,
        "checks": {name: check for name, (check,) in checks.items()},
        "levels": samples[-1].levels,
        "span": _span(samples[-1].at - samples[0].at),
        "totals": totals(samples),
        "dialects": dialect_rows(samples),
        "caches": cache_rows(samples),
        "sparkline": sparkline,
    }


def _span(seconds: float) -> str:
    return f"{round(seconds)} s" if seconds < MINUTE else f"{round(seconds / MINUTE)} min"


def _tenants() -> dict[str, Any]:
    wanted = request.args.get("tenant", "").strip()
    found = find_tenants(wanted)
    more = len(found[MAX_SHOWN_TENANTS:])
    return {"tenants": found[:MAX_SHOWN_TENANTS], "more_tenants": more, "wanted": wanted}


def find_tenants(wanted: str) -> list[TenantFacts]:
    """Return the visitor's tenants whose id, or part of whose name, this is, in numbers; by name.

    One statement for each, of which there are at most as many as a credential can name.
    """
    parts = current_app.extensions
    now = cast(Clock, parts["clock"])()
    tenants = Tenants(cast(Database, parts["database"]))
    found = [tenants.facts(tenant_id, now=now) for tenant_id in principal().tenant_ids]
    folded = wanted.casefold()
    matching = [
        facts
        for facts in found
        if facts and (str(facts.tenant.id) == wanted or folded in facts.tenant.name.casefold())
    ]
    return sorted(matching, key=lambda facts: (facts.tenant.name.casefold(), facts.tenant.id))
