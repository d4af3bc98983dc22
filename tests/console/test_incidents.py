"""Requests that failed or were slow: kept within bounds, of all workers, and shown to their own."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from support.callers import Home
from support.console_visitor import Visitor, admin_of

from core.domain.model import Principal
from gateway.observability.incidents import KINDS, MAX_LEFT_FILES, SLOTS, Incidents, kind_of

LIST, ONE = "/console/incidents", "/console/incidents/request"


def line(status: int, request_id: str = "abc", **more: Any) -> dict[str, Any]:
    """Return a line of the log."""
    return {
        "timestamp": datetime.now(UTC),
        "request_id": request_id,
        "level": "error",
        "tenant": None,
        "user": None,
        "dialect": "deskera",
        "route": "/v1/crm/activities",
        "method": "GET",
        "status": status,
        "duration_ms": 3.5,
        **more,
    }


@pytest.mark.parametrize(
    ("status", "seconds", "kind"),
    [
        (200, 0.1, None),
        (304, 0.9, None),
        (200, 1.0, "slow"),
        (404, 0.1, "refused"),
        (400, 2.0, "slow"),
        (500, 0.1, "error"),
        (503, 9.0, "error"),
    ],
)
def test_incidents_are_of_three_kinds(status: int, seconds: float, kind: str | None):
    assert kind_of(status, seconds) == kind


def test_refused_requests_crowd_out_no_errors():
    kept = Incidents(None)
    kept.note(line(500, "the error"), None, 0.1)
    for number in range(1000):
        kept.note(line(404, str(number)), None, 0.1)
    found = kept.all()
    assert len(found) == 1 + SLOTS["refused"]
    assert found[0]["request_id"] == "999"
    assert found[-1]["request_id"] == "the error"


def test_incidents_outlive_their_worker(tmp_path: Path):
    killed = Incidents(tmp_path)
    killed.note(line(500), Principal(1, (7,), frozenset()), 0.1)
    (tmp_path / next(tmp_path.iterdir()).name).rename(tmp_path / "incidents_999999.bin")
    (found,) = Incidents(tmp_path).all()
    assert (found["tenants"], found["kind"], found["status"]) == ([7], "error", 500)


def test_files_of_workers_that_ended_are_bounded(tmp_path: Path):
    for number in range(MAX_LEFT_FILES + 20):
        (tmp_path / f"incidents_{4_000_000 + number + 1}.bin").write_bytes(b"\0")
    Incidents(tmp_path)
    assert len(list(tmp_path.iterdir())) == MAX_LEFT_FILES + 1


def test_lines_that_are_too_long_are_left_out():
    kept = Incidents(None)
    kept.note(line(500, route="/" * 3000), None, 0.1)
    assert kept.all() == []


def test_own_requests_are_shown_by_id(admin: Visitor, tenant: Home):
    headers = {**tenant.caller(4).headers, "X-Request-Id": "my <own> id $(x)"}
    assert admin.client.get("/activities/1", headers=headers).status_code == 404
    page = admin.get(LIST, query_string={"find": "OWN"}).text
    assert "refused</span>" in page
    shown = admin.get(ONE, query_string={"id": headers["X-Request-Id"]})
    assert "<dd>/activities/&lt;" in shown.text
    assert "--arg id &#39;my &lt;own&gt; id $(x)&#39; &#39;select" in shown.text
    assert admin.get(ONE, query_string={"id": "another"}).status_code == 404


def test_foreign_requests_are_never_shown(
    app: Flask, admin: Visitor, tenant: Home, make_app: Callable[..., Flask]
):
    kept: Incidents = app.extensions["incidents"]
    kept.note(line(500, "theirs"), Principal(1, (tenant.id + 1,), frozenset()), 0.1)
    kept.note(line(500, "shared"), Principal(1, (tenant.id, tenant.id + 1), frozenset()), 0.1)
    page = admin.get(LIST).text
    assert "theirs" not in page
    assert "shared" not in page
    assert admin.get(ONE, query_string={"id": "theirs"}).status_code == 404


def test_refused_strangers_are_not_told_about(app: Flask, tenant: Home):
    visitor = admin_of(app, tenant)
    bad = {"x-api-key": "nonsense", "X-Request-Id": "bad-login"}
    assert visitor.get("/activities", headers=bad).status_code == 401
    assert "bad-login" not in visitor.get(LIST).text
    app.extensions["incidents"].note(line(503, "broken", refusal="of crm1x"), None, 0.1)
    assert "broken" in visitor.get(LIST).text
    assert "crm1x" not in visitor.get(ONE, query_string={"id": "broken"}).text


def test_kinds_can_be_told_apart(app: Flask, admin: Visitor):
    for status, name in ((500, "failing-one"), (200, "patient-one")):
        app.extensions["incidents"].note(line(status, name), None, 2.0)
    assert "failing-one" in admin.get(f"{LIST}?kind=error").text
    assert "patient-one" not in admin.get(f"{LIST}?kind=error").text
    assert "patient-one" in admin.get(f"{LIST}?kind=slow").text
    assert "Nothing that is kept matches" in admin.get(f"{LIST}?kind=refused").text
    assert admin.get(f"{LIST}?kind=other").status_code == 404
    assert len(KINDS) == 3


def test_console_off_keeps_nothing(make_app: Callable[..., Flask]):
    app = make_app()
    assert app.test_client().get("/nothing").status_code == 404
    assert "incidents" not in app.extensions
