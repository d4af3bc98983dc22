"""`demo --reset` brings the samples of both vendors' pages back, at once and everywhere."""

import time

from flask import Flask
from flask.testing import FlaskClient
from support.both_api import Both
from support.callers import Demo

from core.storage.credential_store import DEMO_KEY_ID
from core.storage.database import Database
from core.transfer.demo import reset_demo
from core.transfer.exporter import export_lines
from gateway.auth.authenticator import RECHECK_SECONDS


def spoil(client: FlaskClient, demo: Demo) -> None:
    """Change, remove and add records of the demo through the service."""
    deskera, apex = Both(client, demo.deskera.key), Both(client, demo.apex.key)
    deskera.put(1, name="mine", visibility_type="private")
    deskera.deskera("DELETE", 81)
    apex.patch(123, subject="mine", contact_id=9)
    apex.apex("DELETE", "/activities/124")
    assert apex.apex.create(subject="new")["id"] == 125


def test_reset_brings_the_samples_back(client: FlaskClient, demo: Demo, database: Database):
    apex = Both(client, demo.apex.key)
    exported, page = list(export_lines(database)), apex.apex("GET").json
    shown = apex.apex("GET", "/activities/123").json
    spoil(client, demo)
    assert apex.apex("GET").json != page
    reset_demo(database)
    assert list(export_lines(database)) == exported
    assert apex.apex("GET").json == page
    assert apex.apex("GET", "/activities/123").json == shown
    assert apex.apex.create(subject="new")["id"] == 125


def test_reset_keeps_totals_right(client: FlaskClient, demo: Demo, database: Database):
    spoil(client, demo)
    reset_demo(database)
    apex, deskera = Both(client, demo.apex.key), Both(client, demo.deskera.key)
    assert (apex.apex.total(), deskera.deskera.page()[1]) == (2, 3)


def test_reset_brings_the_key_back(app: Flask, client: FlaskClient, demo: Demo):
    app.extensions["credentials"].revoke(DEMO_KEY_ID)
    reset_demo(app.extensions["database"])
    time.sleep(RECHECK_SECONDS)
    assert Both(client, demo.deskera.key).deskera("GET").status_code == 200


def test_reset_can_be_repeated(database: Database, demo: Demo):
    exported = list(export_lines(database))
    for _ in range(2):
        reset_demo(database)
    assert list(export_lines(database)) == exported
