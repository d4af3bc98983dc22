"""crm-gateway token: issue, list and revoke credentials."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from core.domain import validators
from core.domain.model import MAX_ID
from core.domain.validators import Refused
from core.storage.credential_store import (
    DEFAULT_SCOPES,
    SCOPES,
    Credential,
    Credentials,
    checked_scopes,
)
from gateway.auth.signing import sign
from gateway.auth.tokens import Claims
from gateway.cli.session import ready, without_redis
from gateway.embedded.lease import resolved_servers
from gateway.settings import Settings

ID = click.IntRange(1, MAX_ID)
TTL = click.IntRange(1, 10**9)
DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
COLUMNS = "{:<28} {:>16} {:>16}  {:<26} {:<20} {}"
HEADINGS = ("ID", "TENANT", "USER", "SCOPES", "EXPIRES", "STATE")

user_option = click.option("--user", "user_id", required=True, type=ID)
scopes_option = click.option(
    "--scopes",
    default=",".join(DEFAULT_SCOPES),
    show_default=True,
    help=f"Of {', '.join(SCOPES)}.",
)


def checked(check: validators.Check, value: str, option: str) -> Any:
    """Return what a check makes of an option's value; raises BadParameter, naming the option."""
    try:
        return check(value)
    except Refused as refusal:
        raise click.BadParameter(str(refusal), param_hint=option) from refusal


@click.group()
def token() -> None:
    """Issue, list and revoke credentials."""


@token.command()
@click.option("--tenant", "tenant_id", required=True, type=ID)
@user_option
@scopes_option
@click.option("--expires", help="After 30d, 12h, 90m or 60s, or at an RFC 3339 stamp or a date.")
def create(tenant_id: int, user_id: int, scopes: str, expires: str | None) -> None:
    """Print a new opaque key; it is never shown again."""
    expires_at = None if expires is None else checked(_expiry, expires, "--expires")
    with ready() as (_, database):
        key = Credentials(database).create(
            tenant_id=tenant_id, user_id=user_id, scopes=_words(scopes), expires_at=expires_at
        )
    click.echo(key)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _expiry(text: str) -> datetime:
    length = DURATION.fullmatch(text)
    if length is None:
        return datetime.fromisoformat(validators.instant_text(text))
    return datetime.now(UTC) + timedelta(**{UNITS[length[2]]: int(length[1])})


@token.command("jwt")
@click.option("--tenant", "tenant_ids", required=True, type=ID, multiple=True, help="One or more.")
@user_option
@scopes_option
@click.option("--ttl", default=3600, show_default=True, type=TTL, help="Seconds.")
def create_jwt(tenant_ids: tuple[int, ...], user_id: int, scopes: str, ttl: int) -> None:
    """Print a signed JWT."""
    expires_at = datetime.now(UTC) + timedelta(seconds=ttl)
    chosen = frozenset(checked_scopes(_words(scopes)))
    with resolved_servers(without_redis(Settings.from_env())) as settings:
        click.echo(sign(settings, Claims(user_id, tenant_ids, chosen, expires_at)))


@token.command("list")
def list_keys() -> None:
    """Print every opaque key without its secret, revoked and expired ones among them."""
    with ready() as (_, database):
        known = Credentials(database).list()
    click.echo(COLUMNS.format(*HEADINGS))
    for key in known:
        click.echo(_as_line(key, datetime.now(UTC)))


def _as_line(key: Credential, now: datetime) -> str:
    expires = "never" if key.expires_at is None else validators.stamp_text(key.expires_at)
    state = "revoked" if key.revoked_at else "active" if key.is_active(now) else "expired"
    return COLUMNS.format(
        key.id, key.tenant_id, key.user_id, ",".join(key.scopes), expires.split(".")[0], state
    )


@token.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Revoke the key with this ID; it is refused everywhere within a second."""
    with ready() as (_, database):
        if not Credentials(database).revoke(key_id):
            raise click.ClickException("there is no such key, or it is revoked already")
