"""The overview: figures of the service, and the tenants of the visitor's credential alone."""

from collections.abc import Callable

from flask import Flask
from support.callers import Home
from support.clock import Clock
from support.console_visitor import Visitor, admin_of

from core.domain.model import Tenant
from core.storage.database import Database
from core.storage.tenant_store import Tenants

PARTIAL = {"X-Partial": "1"}
FIGURES, TENANTS = "/console/overview/figures", "/console/overview/tenants"


def test_overview_shows_health_and_figures(admin: Visitor):
    page = admin.get("/console/").text
    for part in ("PostgreSQL", "Redis", "Requests a second", "95th percentile", "entities"):
        assert part in page
    assert page.count("<svg") >= 5


def test_parts_hold_no_whole_page(admin: Visitor):
    for path in (FIGURES, TENANTS):
        part = admin.get(path, headers=PARTIAL)
        assert part.status_code == 200
        assert "<html" not in part.text


def test_failing_redis_is_a_warning(make_app: Callable[..., Flask], tenant: Home):
    app = make_app(console=True, redis_url="redis://127.0.0.1:1")
    page = admin_of(app, tenant).get(FIGURES).text
    assert '<span class="badge warn">warn</span>' in page
    assert '<span class="badge bad">fail</span> unreachable' in page


def test_tenants_are_shown_in_numbers(
    admin: Visitor, tenant: Home, database: Database, clock: Clock
):
    caller = tenant.caller()
    for _ in range(2):
        created = admin.client.post(
            "/v1/crm/activities",
            json={"name": "a", "activity_type": "call"},
            headers=caller.headers,
        )
        assert created.status_code == 201
    facts = Tenants(database).facts(tenant.id, now=clock.now)
    assert facts is not None
    assert (facts.activities, facts.active_keys) == (2, 2)
    row = admin.get(TENANTS).text.partition(f"Tenant {tenant.id}</th>")[2].partition("</tr>")[0]
    assert row.count('<td class="number">2</td>') == 2


def test_foreign_tenants_are_never_shown(admin: Visitor, tenant: Home, database: Database):
    foreign = tenant.id + 500_000_000
    Tenants(database).create(Tenant(foreign, "Foreign Ltd", "UTC", "UTC"))
    for query in ("", f"?tenant={foreign}", "?tenant=Foreign"):
        assert str(foreign) not in admin.get(f"{TENANTS}{query}").text.replace(query[8:], "")
    assert "No tenant of your key" in admin.get(f"{TENANTS}?tenant=Foreign").text


def test_tenants_are_found_by_name(app: Flask, tenant: Home, database: Database):
    others = [tenant.id + 600_000_000 + place for place in range(25)]
    for other in others:
        Tenants(database).create(Tenant(other, f"Branch <{other}>", "UTC", "UTC"))
    visitor = Visitor(app)
    visitor.log_in(tenant.token(scope="admin", organization_id=[tenant.id, *others]))
    page = visitor.get("/console/").text
    assert page.count('<th scope="row">Branch &lt;') == 20
    assert "6 more" in page
    found = visitor.get(f"{TENANTS}?tenant={others[-1]}").text
    assert (found.count('<th scope="row">'), f"{others[-1]}" in found) == (1, True)
    assert visitor.get(f"{TENANTS}?tenant=branch").text.count('<th scope="row">') == 20
