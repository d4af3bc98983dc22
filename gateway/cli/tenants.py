"""crm-gateway tenant: look after tenants."""

import click

from core.domain import validators
from core.domain.model import Tenant
from core.storage.tenant_store import Tenants
from gateway.cli.options import ID, checked
from gateway.cli.session import ready


@click.group()
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
