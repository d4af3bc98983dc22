"""crm-gateway db: look after the database."""

import click

from core.storage import clock_zones, distribution, migrate, roles
from core.storage.database import Database
from core.storage.database_identity import is_ahead
from gateway.cli.session import connected, environment, ready


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Apply the migrations that are missing, then rezone; on Citus, distribute empty tables."""
    with connected(environment()) as (_, database):
        undistributed = migrate.upgrade(database)
        if is_ahead(database):
            click.echo("the database is ahead of this program, and stays as it is", err=True)
        _rezone(database)
    if undistributed:
        click.echo(f"not distributed, having rows: {', '.join(undistributed)}", err=True)
        click.echo("run crm-gateway db distribute; writes wait while it copies them", err=True)


@db.command()
def distribute() -> None:
    """Distribute the tables over the nodes of a Citus cluster, with the rows that they have."""
    with ready() as (_, database):
        try:
            added = distribution.distribute(database)
        except LookupError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"distributed now: {', '.join(added) or 'nothing more'}", err=True)


@db.command("roles")
@click.option("--apply", "is_applied", is_flag=True, help="Run the statements.")
def make_roles(is_applied: bool) -> None:
    """Print the SQL of three roles: an owner, a service that sees its tenants, a reader."""
    if not is_applied:
        for statement in roles.statements():
            click.echo(f"{statement};")
        return
    with ready() as (_, database):
        try:
            roles.apply(database)
        except LookupError as error:
            raise click.ClickException(str(error)) from error


@db.command()
def rezone() -> None:
    """Compute anew the wall clocks that were stored in another zone than their tenant's.

    The instant of a timed end stays and its clock follows; a date without a time stays and its
    instant follows. Safe to repeat, and beside running traffic.
    """
    with ready() as (_, database):
        _rezone(database)


def _rezone(database: Database) -> None:
    click.echo(f"activities with new clocks: {clock_zones.rezone(database)}", err=True)
