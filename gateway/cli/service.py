"""crm-gateway serve and run: the service itself."""

import errno
import http.client
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import click

from core.storage.credential_store import (
    DEFAULT_SCOPES,
    DEMO_TENANT_ID,
    DEMO_TOKEN,
    SCOPES,
    Credentials,
)
from core.storage.database import Database
from core.transfer.demo import APEX_TENANT_ID, APEX_USER_ID, demo_key_is_active, load_demo
from gateway.auth.signing import sign
from gateway.auth.tokens import Claims
from gateway.cli.session import ready
from gateway.request import is_loopback
from gateway.server import certificate
from gateway.settings import (
    CONSOLE_VARIABLE,
    DEMO_TOKEN_VARIABLE,
    Settings,
    environment_with,
)

PORT = click.IntRange(1, 65535)
FILE = click.Path(dir_okay=False, resolve_path=True)
GUNICORN_CONFIG = "python:gateway.server.gunicorn_conf"
APPLICATION = "gateway.server.wsgi:application"
ANSWER_SECONDS, POLL_SECONDS = 5, 0.05
DEMO_TOKEN_LIFE = timedelta(days=30)
TOKEN_ID_BYTES = 16
NO_DEMO: Mapping[str, str | None] = {DEMO_TOKEN_VARIABLE: None}
BANNER = """
Unified CRM gateway: {url}   (open it: one record in both dialects)

  Deskera, tenant 64797          {deskera}
  AchieveApex, organization 27   {apex}

curl '{url}/v1/crm/activities?page=1&pageSize=10&sortBy=updated_at&sortDir=DESC' -H '{deskera}'
curl '{url}/activities/123' -H '{apex}'

Console: {url}/console   log in with {admin}
"""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=PORT)
@click.option("--workers", type=click.IntRange(1, 1024), help="Worker processes.")
@click.option("--certfile", type=FILE, help="TLS: the certificate and those above it, as PEM.")
@click.option("--keyfile", type=FILE, help="TLS: the key of the certificate, as PEM.")
def serve(
    host: str, port: int, workers: int | None, certfile: str | None, keyfile: str | None
) -> None:
    """Serve both dialects: this process becomes gunicorn's master."""
    tls = _tls_options(certfile, keyfile)
    if not tls and not is_loopback(host):
        click.echo(f"{host} without TLS: put a proxy that has it before this service.", err=True)
    with ready(is_service=True) as (settings, database):
        if not is_loopback(host) and demo_key_is_active(database):
            raise click.ClickException(
                f"{host} is reachable from outside, and everybody knows the key {DEMO_TOKEN}: "
                "run crm-gateway token revoke sampleaccess first"
            )
        _become_gunicorn(host, _ports(settings, port), workers, *tls)


@click.command()
@click.option("--port", default=8000, show_default=True, type=PORT)
def run(port: int) -> None:
    """Load the demo data and serve it on this machine alone, as make run does."""
    url, deskera = f"http://127.0.0.1:{port}", f"x-access-token: {DEMO_TOKEN}"
    with ready(is_service=True) as (settings, database):
        load_demo(database)
        token = _demo_token(settings, database, DEFAULT_SCOPES, (APEX_TENANT_ID,))
        admin = _demo_token(settings, database, SCOPES, (APEX_TENANT_ID, DEMO_TENANT_ID))
        apex = f"Authorization: Bearer {token}"
        banner = BANNER.format(url=url, deskera=deskera, apex=apex, admin=admin)
        variables = {DEMO_TOKEN_VARIABLE: token, CONSOLE_VARIABLE: "true"}
        ports = _ports(settings, port)
        _become_gunicorn("127.0.0.1", ports, None, variables=variables, banner=banner)


def _tls_options(certfile: str | None, keyfile: str | None) -> list[str]:
    """Return gunicorn's options for TLS. Raises: ClickException, if the files are of no use."""
    if certfile is None and keyfile is None:
        return []
    if certfile is None or keyfile is None:
        raise click.UsageError("--certfile and --keyfile belong together")
    try:
        certificate.check(certfile, keyfile)
    except certificate.CertificateError as error:
        raise click.ClickException(str(error)) from error
    return ["--certfile", certfile, "--keyfile", keyfile]


def _demo_token(
    settings: Settings, database: Database, scopes: Sequence[str], tenant_ids: tuple[int, ...]
) -> str:
    """Return a credential of the demo: a JWT, or a key of the first tenant without a secret."""
    expires_at = datetime.now(UTC) + DEMO_TOKEN_LIFE
    if settings.jwt_secret is None:
        return Credentials(database).create(
            tenant_id=tenant_ids[0],
            user_id=APEX_USER_ID,
            scopes=scopes,
            expires_at=expires_at,
            name="demo",
        )
    token_id = secrets.token_hex(TOKEN_ID_BYTES)
    claims = Claims(APEX_USER_ID, tenant_ids, frozenset(scopes), expires_at, token_id)
    return sign(settings, claims)


def _become_gunicorn(
    host: str,
    ports: Sequence[int],
    workers: int | None,
    *more: str,
    variables: Mapping[str, str | None] = NO_DEMO,
    banner: str = "",
) -> None:
    """Put gunicorn in the place of this process; the banner is shown when it answers.

    Embedded servers are left running for it: it takes a lease of its own.
    """
    options = list(more)
    for port in ports:
        _check_free(host, port)
        options += ["--bind", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    options += ["--workers", str(workers)] if workers else []
    command = [sys.executable, "-m", "gunicorn", "--config", GUNICORN_CONFIG, *options, APPLICATION]
    sys.stdout.flush()
    if banner and os.fork() == 0:
        _announce(ports[-1], banner)
    os.execve(command[0], command, environment_with(variables))


def _check_free(host: str, port: int) -> None:
    """Raise ClickException, in one line, if another program has the port."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"another program listens on {host}:{port}; choose one with --port"
            raise click.ClickException(message) from error


def _announce(port: int, banner: str) -> NoReturn:
    """Show the banner once the service answers, and end this process, which is its child."""
    service = os.getppid()
    while os.getppid() == service:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", "/health/live")
            if connection.getresponse().status == http.HTTPStatus.OK:
                os.write(sys.stdout.fileno(), banner.encode())
                break
        except OSError:
            time.sleep(POLL_SECONDS)
    os._exit(0)


def _ports(settings: Settings, port: int) -> list[int]:
    return [port] if settings.ops_port is None else [port, settings.ops_port]
