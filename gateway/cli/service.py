"""crm-gateway serve and run: the service itself."""

import os
import sys
from datetime import UTC, datetime, timedelta

import click

from core.storage.credential_store import DEFAULT_SCOPES, DEMO_TOKEN, Credentials
from core.storage.database import Database
from core.transfer.demo import APEX_TENANT_ID, APEX_USER_ID, demo_key_is_active, load_demo
from gateway.auth.signing import sign
from gateway.auth.tokens import Claims
from gateway.cli.session import ready
from gateway.request import is_loopback
from gateway.settings import DEMO_TOKEN_VARIABLE, Settings, environment_with

PORT = click.IntRange(1, 65535)
GUNICORN_CONFIG = "python:gateway.server.gunicorn_conf"
APPLICATION = "gateway.server.wsgi:application"
DEMO_TOKEN_LIFE = timedelta(days=30)
BANNER = """
Unified CRM gateway: {url}   (open it: one record in both dialects)

  Deskera, tenant 64797          {deskera}
  AchieveApex, organization 27   {apex}

curl '{url}/v1/crm/activities?page=1&pageSize=10&sortBy=updated_at&sortDir=DESC' -H '{deskera}'
curl '{url}/activities/123' -H '{apex}'
"""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=PORT)
@click.option("--workers", type=click.IntRange(1, 1024), help="Worker processes.")
def serve(host: str, port: int, workers: int | None) -> None:
    """Serve both dialects: this process becomes gunicorn's master."""
    with ready(is_service=True) as (_, database):
        if not is_loopback(host) and demo_key_is_active(database):
            raise click.ClickException(
                f"{host} is reachable from outside, and everybody knows the key {DEMO_TOKEN}: "
                "run crm-gateway token revoke sampleaccess first"
            )
        _become_gunicorn(host, port, workers)


@click.command()
@click.option("--port", default=8000, show_default=True, type=PORT)
def run(port: int) -> None:
    """Load the demo data and serve it on this machine alone, as make run does."""
    url, deskera = f"http://127.0.0.1:{port}", f"x-access-token: {DEMO_TOKEN}"
    with ready(is_service=True) as (settings, database):
        load_demo(database)
        token = _apex_token(settings, database)
        apex = f"Authorization: Bearer {token}"
        click.echo(BANNER.format(url=url, deskera=deskera, apex=apex))
        _become_gunicorn("127.0.0.1", port, None, demo_token=token)


def _apex_token(settings: Settings, database: Database) -> str:
    """Return a credential for the AchieveApex half of the demo: a JWT, or a key without secret."""
    user_id, tenant_id = APEX_USER_ID, APEX_TENANT_ID
    expires_at = datetime.now(UTC) + DEMO_TOKEN_LIFE
    if settings.jwt_secret is None:
        return Credentials(database).create(
            tenant_id=tenant_id, user_id=user_id, expires_at=expires_at, name="demo"
        )
    return sign(settings, Claims(user_id, (tenant_id,), frozenset(DEFAULT_SCOPES), expires_at))


def _become_gunicorn(
    host: str, port: int, workers: int | None, *, demo_token: str | None = None
) -> None:
    """Put gunicorn in the place of this process.

    Embedded servers are left running for it: it takes a lease of its own.
    """
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = ["--bind", bind, *(["--workers", str(workers)] if workers else [])]
    command = [sys.executable, "-m", "gunicorn", "--config", GUNICORN_CONFIG, *options, APPLICATION]
    sys.stdout.flush()
    os.execve(command[0], command, environment_with(DEMO_TOKEN_VARIABLE, demo_token))
