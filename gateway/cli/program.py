"""The crm-gateway program: its commands, and how their errors are shown.

Results alone go to standard output, everything else to standard error. What goes wrong is one
line and exit 1. Commands without DATABASE_URL use the embedded servers for as long as they run.
"""

from typing import Any

import click

from core.domain.errors import CoreError
from gateway.auth.signing import NoSecret
from gateway.cli.credentials import token
from gateway.cli.data import demo, export, import_file
from gateway.cli.doctor import doctor
from gateway.cli.schema import db
from gateway.cli.service import run, serve
from gateway.cli.session import NotUpgraded
from gateway.cli.status import status
from gateway.cli.tenants import tenant
from gateway.embedded.processes import EngineError
from gateway.observability.health import PACKAGE
from gateway.settings import SettingsError


class Program(click.Group):
    """A group of commands that turns expected errors into one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # The reader of the output has seen enough: click ends quietly.
        except (CoreError, EngineError, NoSecret, NotUpgraded, SettingsError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=PACKAGE, prog_name="crm-gateway")
def main() -> None:
    """Run and look after the Unified CRM gateway."""


for command in (serve, run, doctor, status, db, demo, tenant, import_file, export, token):
    main.add_command(command)
