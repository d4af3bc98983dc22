"""The crm-gateway program; each command is a few lines that call the core.

Results alone go to stdout, everything else to stderr. What goes wrong is one line and exit 1.
Commands without DATABASE_URL borrow the embedded servers for as long as they run.
"""

import ipaddress
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from core.domain import validators
from core.domain.errors import CoreError
from core.domain.model import Tenant
from core.storage import migrate
from core.storage.credential_store import DEFAULT_SCOPES, DEMO_TOKEN, Credentials
from core.storage.database import Database
from core.storage.tenant_store import Tenants
from core.transfer.demo import APEX_TENANT_ID, APEX_USER_ID, demo_key_is_active, load_demo
from core.transfer.exporter import export_lines
from core.transfer.importer import ImportReport, import_lines
from gateway.auth.signing import NoSecret, sign
from gateway.auth.tokens import Claims
from gateway.cli.credentials import ID, checked, token
from gateway.cli.session import NotUpgraded, connected, ready
from gateway.embedded.processes import EngineError
from gateway.settings import Settings, SettingsError

PORT = click.IntRange(1, 65535)
GUNICORN_CONFIG = "python:gateway.server.gunicorn_conf"
APPLICATION = "gateway.server.wsgi:application"
DEMO_TOKEN_LIFE = timedelta(days=30)
BANNER = """
Unified CRM gateway: {url}

  Deskera, tenant 64797          {deskera}
  AchieveApex, organization 27   {apex}

curl '{url}/v1/crm/activities?page=1&pageSize=10&sortBy=updated_at&sortDir=DESC' -H '{deskera}'
curl '{url}/activities/123' -H '{apex}'
"""


class Program(click.Group):
    """A group of commands that turns what may go wrong into one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # Whoever read the output has seen enough: click ends quietly.
        except (CoreError, EngineError, NoSecret, NotUpgraded, SettingsError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run and look after the Unified CRM gateway."""


main.add_command(token)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=PORT)
@click.option("--workers", type=click.IntRange(1, 1024), help="Worker processes.")
def serve(host: str, port: int, workers: int | None) -> None:
    """Serve both dialects: this process becomes gunicorn's master."""
    with ready() as (_, database):
        if not _is_loopback(host) and demo_key_is_active(database):
            raise click.ClickException(
                f"{host} is reachable from outside, and everybody knows the key {DEMO_TOKEN}: "
                "run crm-gateway token revoke sampleaccess first"
            )
        _become_gunicorn(host, port, workers)


@main.command(hidden=True)
@click.option("--port", default=8000, show_default=True, type=PORT)
def run(port: int) -> None:
    """Serve the demo on this machine, as make run does."""
    url, deskera = f"http://127.0.0.1:{port}", f"x-access-token: {DEMO_TOKEN}"
    with ready() as (settings, database):
        load_demo(database)
        click.echo(BANNER.format(url=url, deskera=deskera, apex=_apex_header(settings, database)))
        _become_gunicorn("127.0.0.1", port, None)


def _apex_header(settings: Settings, database: Database) -> str:
    """Return a header that opens the AchieveApex half of the demo."""
    user_id, tenant_id = APEX_USER_ID, APEX_TENANT_ID
    expires_at = datetime.now(UTC) + DEMO_TOKEN_LIFE
    if settings.jwt_secret is None:
        key = Credentials(database).create(
            tenant_id=tenant_id, user_id=user_id, expires_at=expires_at
        )
        return f"x-api-key: {key}"
    claims = Claims(user_id, (tenant_id,), frozenset(DEFAULT_SCOPES), expires_at)
    return f"Authorization: Bearer {sign(settings, claims)}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _become_gunicorn(host: str, port: int, workers: int | None) -> None:
    """Put gunicorn in the place of this process.

    Embedded servers are left running for it: it takes a lease of its own.
    """
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = ["--bind", bind, *(["--workers", str(workers)] if workers else [])]
    command = [sys.executable, "-m", "gunicorn", "--config", GUNICORN_CONFIG, *options, APPLICATION]
    sys.stdout.flush()
    os.execv(command[0], command)


@main.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Apply the migrations that are missing."""
    with connected(Settings.from_env()) as (_, database):
        migrate.upgrade(database)


@main.command()
def demo() -> None:
    """Load the demo data; what is there, or ever was, stays as it is."""
    with ready() as (_, database):
        load_demo(database)


@main.group()
def tenant() -> None:
    """Look after tenants."""


@tenant.command()
@click.option("--id", "tenant_id", required=True, type=ID)
@click.option("--name", required=True)
@click.option("--timezone", default="UTC", show_default=True, help="IANA zone of wall clocks.")
@click.option("--deskera-timezone", default="UTC", show_default=True, help="Of Deskera's stamps.")
def create(tenant_id: int, name: str, timezone: str, deskera_timezone: str) -> None:
    """Make a new tenant."""
    new = Tenant(
        tenant_id,
        checked(validators.text, name, "--name"),
        checked(validators.zone, timezone, "--timezone"),
        checked(validators.zone, deskera_timezone, "--deskera-timezone"),
    )
    with ready() as (_, database):
        if not Tenants(database).create(new):
            raise click.ClickException(f"tenant {tenant_id} exists already")


@main.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--tenant", "tenant_id", type=ID, help="The tenant of every line.")
def import_file(file: BinaryIO, tenant_id: int | None) -> None:
    """Load tenants, directory entities and activities from NDJSON; - is standard input.

    All is written, replacing what is known under its id, or nothing if one line is bad.
    """
    with ready() as (_, database), _progress(file) as lines:
        report = import_lines(database, lines, tenant_id=tenant_id)
    _tell(report)


def _tell(report: ImportReport) -> None:
    for line in report.bad_lines:
        click.echo(f"line {line.number}: {line.reason}", err=True)
    if report.bad_count:
        unshown = report.bad_count - len(report.bad_lines)
        also = f" ({unshown} of them not shown)" if unshown else ""
        raise click.ClickException(f"bad lines: {report.bad_count}{also}; nothing was imported")
    click.echo(
        f"{report.records} records read, {report.changed_activities} activities changed", err=True
    )


@contextmanager
def _progress(file: BinaryIO) -> Iterator[Iterable[bytes]]:
    """Give the lines of a file, and on a terminal show how far it is read."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield file
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        size = os.fstat(file.fileno()).st_size or None  # None: a pipe, of unknown length.
        task = progress.add_task("Reading", total=size)

        def lines() -> Iterator[bytes]:
            for line in file:
                yield line
                progress.advance(task, len(line))
            progress.update(task, description="Writing", total=None)

        yield lines()


@main.command()
@click.option("--tenant", "tenant_id", type=ID, help="Only this tenant.")
def export(tenant_id: int | None) -> None:
    """Write everything, as one instant saw it, to standard output as NDJSON."""
    output = sys.stdout.buffer
    with ready() as (_, database):
        output.writelines(export_lines(database, tenant_id=tenant_id))
        output.flush()
