"""Secrets stand in no log, no error, no traceback and no command line."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from support.callers import JWT_SECRET, Home
from support.gateway_process import ROOT, served
from support.secrets_in_logs import secrets_in

PASSWORD = "hunter2hunter2"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("key crm27xabcdefgh27" + "A-_9" * 10 + "xyz", "an opaque key"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0x.aaaaaaaaaaaaaaaaaaaa", "a JWT"),
        (f"at postgresql://crm:{PASSWORD}@db/crm", "a URL with a password"),
        (f"rediss://:{PASSWORD}@cache", "a URL with a password"),
        (JWT_SECRET, "the secret of JWTs"),
        ("-----BEGIN EC PRIVATE KEY-----", "a private key"),
        ("Set-Cookie: crm_console=eyJrIjoiY3JtMjd4In0.aaaa.bbbb; Secure", "a session"),
    ],
)
def test_guard_knows_each_kind(text: str, kind: str):
    """Every test of the suite is failed by what this guard finds in its output."""
    assert secrets_in(text) == [kind]


@pytest.mark.parametrize("url", ["http://a:80/x", "unix:///a@b", "key crm27xabcdefgh27 is revoked"])
def test_guard_lets_the_rest_pass(url: str):
    assert secrets_in(url) == []


@pytest.mark.parametrize(
    "variable", ["DATABASE_URL", "REDIS_URL"], ids=["a dead database", "a dead Redis"]
)
def test_commands_never_print_passwords(variable: str):
    environment = {
        "DATABASE_URL": f"postgresql://crm:{PASSWORD}@127.0.0.1:1/crm?connect_timeout=1",
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:1",
        variable: f"nonsense://crm:{PASSWORD}@127.0.0.1:1/crm",
    }
    for words in (["db", "upgrade"], ["token", "list"]):
        for changed in (environment, environment | {variable: environment["DATABASE_URL"]}):
            ended = subprocess.run(
                [sys.executable, "-m", "gateway", *words],
                cwd=ROOT,
                env={**os.environ, **changed},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 1
            assert PASSWORD not in ended.stdout + ended.stderr


def test_dead_database_logs_no_password(
    make_app: Callable[..., Flask], capfd: pytest.CaptureFixture[str]
):
    url = f"postgresql://crm:{PASSWORD}@127.0.0.1:1/crm"
    client = make_app(database_url=url, redis_url="none").test_client()
    key = "crm27xabcdefgh27" + "a" * 43
    assert client.get("/activities", headers={"x-api-key": key}).status_code == 503
    assert client.get("/health/ready").status_code == 503
    assert PASSWORD not in "".join(capfd.readouterr())


def test_unexpected_error_logs_no_secret(
    app: Flask, tenant: Home, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("core.activities.Activities.get", fail)
    key = tenant.caller().key
    path = f"/v1/crm/activities/5?access_token={key}"
    answer = app.test_client().get(path, headers={"x-api-key": key})
    output = "".join(capfd.readouterr())
    assert (answer.status_code, "on purpose" in output) == (500, True)
    assert secrets_in(output + answer.text) == []


def test_running_service_shows_no_secret(database_url: str, tmp_path: Path):
    """`served` itself looks through the log when the service has ended."""
    role = "CREATE ROLE crm_secret SUPERUSER LOGIN PASSWORD '" + PASSWORD + "'"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS crm_secret")
        connection.execute(role)
    secret_file = tmp_path / "database-url"
    secret_file.write_text(database_url.replace("://postgres@", f"://crm_secret:{PASSWORD}@"))
    environment = {
        "DATABASE_URL": "",
        "DATABASE_URL_FILE": str(secret_file),
        "REDIS_URL": "none",
        "GATEWAY_JWT_SECRET": JWT_SECRET,
        "GATEWAY_LOG_LEVEL": "debug",
    }
    log = tmp_path / "log"
    with served(environment, log=log) as port:
        everything = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, check=True)
    shown = everything.stdout.decode(errors="replace") + log.read_text()
    assert f":{port}" in shown
    assert PASSWORD not in shown
    assert JWT_SECRET not in shown
