"""crm-gateway db: look after the database."""

import click

from core.storage import migrate
from gateway.cli.session import connected
from gateway.settings import Settings


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Apply the migrations that are missing."""
    with connected(Settings.from_env()) as (_, database):
        migrate.upgrade(database)
