"""crm-gateway token: issue, list, rotate and revoke credentials."""

import re
import secrets
from datetime import UTC, datetime, timedelta

import click

from core.domain import validators
from core.storage.credential_store import (
    DEFAULT_SCOPES,
    MAX_NAME,
    SCOPES,
    Credential,
    Credentials,
    checked_scopes,
)
from core.storage.revocation_store import MAX_TOKEN_ID, Revocations
from core.storage.tenant_store import Tenants
from gateway.auth.signing import sign
from gateway.auth.tokens import Claims, revocable
from gateway.cli.options import ID, checked
from gateway.cli.session import ready

TTL = click.IntRange(1, 10**9)
DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
COLUMNS = "{:<28} {:>16} {:>16}  {:<26} {:<20} {:<20} {:<8} {}"
HEADINGS = ("ID", "TENANT", "USER", "SCOPES", "EXPIRES", "LAST USE", "STATE", "NAME")
JTI_BYTES = 12
NEVER = "never"

user_option = click.option("--user", "user_id", required=True, type=ID)
scopes_option = click.option(
    "--scopes",
    default=",".join(DEFAULT_SCOPES),
    show_default=True,
    help=f"Of {', '.join(SCOPES)}.",
)


@click.group()
def token() -> None:
    """Issue, list, rotate and revoke credentials."""


@token.command()
@click.option("--tenant", "tenant_id", required=True, type=ID)
@user_option
@scopes_option
@click.option(
    "--expires",
    help="Such as 30d, 12h, 90m or 60s from now, 2030-01-31 or an RFC 3339 stamp; unset: never.",
)
@click.option("--name", default="", help="What or whom the key is for, as `list` shows it.")
def create(tenant_id: int, user_id: int, scopes: str, expires: str | None, name: str) -> None:
    """Print a new opaque key; it is never shown again."""
    if len(name) > MAX_NAME or not name.isprintable():
        raise click.BadParameter(f"at most {MAX_NAME} printable letters", param_hint="--name")
    expires_at = None if expires is None else checked(_expiry, expires, "--expires")
    with ready() as (_, database):
        key = Credentials(database).create(
            tenant_id=tenant_id,
            user_id=user_id,
            scopes=_words(scopes),
            expires_at=expires_at,
            name=name,
        )
    click.echo(key)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _expiry(text: str) -> datetime:
    length = _length(text)
    if length is None:
        return datetime.fromisoformat(validators.instant_text(text))
    return datetime.now(UTC) + length


def _length(text: str) -> timedelta | None:
    length = DURATION.fullmatch(text)
    return length and timedelta(**{UNITS[length[2]]: int(length[1])})


def _overlap(_context: click.Context, _option: click.Parameter, text: str) -> timedelta:
    length = timedelta(0) if text == "0" else _length(text)
    if length is None:
        raise click.BadParameter("such as 24h, 30m, 7d or 0")
    return length


@token.command()
@click.argument("key_id", metavar="ID")
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    callback=_overlap,
    help="How long the old key still opens; 0: not at all.",
)
def rotate(key_id: str, overlap: timedelta) -> None:
    """Print a new key in the place of the one with this ID, which ends after the overlap.

    The new key has the old one's user, scopes, name and length of life.
    """
    with ready() as (_, database):
        click.echo(Credentials(database).rotate(key_id, overlap=overlap))


@token.command("jwt")
@click.option("--tenant", "tenant_ids", required=True, type=ID, multiple=True, help="One or more.")
@user_option
@scopes_option
@click.option("--ttl", default=3600, show_default=True, type=TTL, help="Seconds.")
@click.option("--jti", help="The id by which it can be revoked; unset: a random one.")
def create_jwt(
    tenant_ids: tuple[int, ...], user_id: int, scopes: str, ttl: int, jti: str | None
) -> None:
    """Print a signed JWT."""
    if jti is not None and not (jti.isprintable() and 1 <= len(jti) <= MAX_TOKEN_ID):
        raise click.BadParameter(f"1 to {MAX_TOKEN_ID} printable letters", param_hint="--jti")
    token_id = jti or secrets.token_hex(JTI_BYTES)
    expires_at = datetime.now(UTC) + timedelta(seconds=ttl)
    chosen = frozenset(checked_scopes(_words(scopes)))
    with ready() as (settings, database):
        for tenant_id in tenant_ids:
            if Tenants(database).get(tenant_id) is None:
                raise click.ClickException(f"there is no tenant {tenant_id}")
        click.echo(sign(settings, Claims(user_id, tenant_ids, chosen, expires_at, token_id)))


@token.command("list")
def list_keys() -> None:
    """Print every opaque key without its secret, revoked and expired ones among them."""
    with ready() as (_, database):
        known = Credentials(database).list()
    click.echo(COLUMNS.format(*HEADINGS))
    for key in known:
        click.echo(_as_line(key, datetime.now(UTC)))


def _as_line(key: Credential, now: datetime) -> str:
    state = "revoked" if key.revoked_at else "active" if key.is_active(now) else "expired"
    return COLUMNS.format(
        key.id,
        key.tenant_id,
        key.user_id,
        ",".join(key.scopes),
        _to_second(key.expires_at),
        _to_second(key.last_used_at),
        state,
        key.name,
    ).rstrip()


def _to_second(moment: datetime | None) -> str:
    return NEVER if moment is None else validators.stamp_text(moment).split(".")[0]


@token.command()
@click.argument("key_id", metavar="ID")
@click.option("--tenant", "tenant_id", type=ID, help="ID is the jti of this tenant's JWTs.")
def revoke(key_id: str, tenant_id: int | None) -> None:
    """Revoke the key with this ID, or JWTs; they are refused everywhere within a second.

    A JWT is named by itself, or by its jti and a tenant that it names.
    """
    with ready() as (settings, database):
        tokens = ((tenant_id,), key_id) if tenant_id else revocable(settings, key_id)
        if tokens is None:
            if not Credentials(database).revoke(key_id):
                raise click.ClickException("there is no such key, or it is revoked already")
            return
        revocations = Revocations(database)
        if not sum(revocations.revoke(tenant, tokens[1]) for tenant in tokens[0]):
            raise click.ClickException("it is revoked already")
