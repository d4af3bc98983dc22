"""crm-gateway db: look after the database."""

import click

from core.storage import distribution, migrate
from gateway.cli.session import connected, environment, ready


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Apply the migrations that are missing; on Citus, distribute the tables if they are empty."""
    with connected(environment()) as (_, database):
        undistributed = migrate.upgrade(database)
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
