"""Opaque keys: what they look like, and the table that knows their hashes.

A key is `crm<tenant>x<10 characters>`, its public id, followed directly by 43 characters of
secret. The tenant stands in the key so that every look-up can lead with it; only a SHA-256 of the
whole key is stored, which is enough for a secret of 256 bits.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Update, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from core.domain.clock import Clock, utc_now
from core.domain.errors import EntityNotFound, InvalidEntity
from core.domain.model import MAX_ID
from core.storage.database import Database, allowing
from core.storage.tables import credentials
from core.storage.tenant_store import find_tenant

SCOPES = ("read", "write", "directory", "admin")
DEFAULT_SCOPES = ("read", "write")
DEMO_TOKEN = "sampleaccesstoken"
"""The token on Deskera's page: a key in the demo data, and the one key of another form."""
DEMO_TENANT_ID = 64797
DEMO_KEY_ID = "sampleaccess"
MAX_NAME = 100
USE_STEP = timedelta(minutes=1)
"""How exactly the last use of a key is known."""

_PUBLIC_LENGTH = 10
_PUBLIC_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_SECRET_BYTES = 32  # 43 characters in the URL-safe alphabet.
_KEY_ID = re.compile(r"crm([1-9][0-9]{0,15})x[a-z2-7]{10}", re.ASCII)
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_columns = credentials.c
_FIND = f"""
    SELECT {", ".join(column.name for column in _columns)} FROM credentials
    WHERE tenant_id = %(tenant_id)s::BIGINT AND id = %(key_id)s::TEXT"""
_OF_TENANT = f"""
    SELECT {", ".join(column.name for column in _columns)} FROM credentials
    WHERE tenant_id = %(tenant_id)s::BIGINT AND (%(text)s::TEXT = ''
        OR strpos(id, %(text)s::TEXT) > 0 OR strpos(lower(name), lower(%(text)s::TEXT)) > 0)
    ORDER BY created_at DESC, id LIMIT %(limit)s::BIGINT OFFSET %(offset)s::BIGINT"""


class Credential(NamedTuple):
    """A stored key: whom it stands for, what it may do and until when (aware instants)."""

    tenant_id: int
    id: str
    digest: bytes
    user_id: int
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    name: str = ""
    last_used_at: datetime | None = None

    def opens_with(self, token: str) -> bool:
        """Return whether the token is this key, in constant time."""
        return hmac.compare_digest(self.digest, digest_of(token))

    def is_active(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def digest_of(token: str) -> bytes:
    """Return the hash under which a key is stored."""
    return hashlib.sha256(token.encode()).digest()


def parse_key(token: str) -> tuple[int, str] | None:
    """Return the tenant and the id that a whole key names, or None if it cannot be a key."""
    if token == DEMO_TOKEN:
        return DEMO_TENANT_ID, DEMO_KEY_ID
    named = _KEY_ID.match(token)
    if named is None or not _SECRET.fullmatch(token, named.end()):
        return None
    return int(named[1]), named[0]


def parse_key_id(text: str) -> tuple[int, str] | None:
    """Return the tenant and the id of a key's public part; a whole key is understood too."""
    if text == DEMO_KEY_ID:
        return DEMO_TENANT_ID, DEMO_KEY_ID
    named = _KEY_ID.fullmatch(text)
    return parse_key(text) if named is None else (int(named[1]), text)


class Credentials:
    """Issues, finds and revokes keys."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        """Take the present instant from `clock`, for creation, expiry and revocation."""
        self._database = database
        self._clock = clock

    def create(
        self,
        *,
        tenant_id: int,
        user_id: int,
        scopes: Iterable[str] = DEFAULT_SCOPES,
        expires_at: datetime | None = None,
        name: str = "",
    ) -> str:
        """Store a new key and return it: the only time that it is seen whole.

        Raises: InvalidEntity, naming the user, the scopes, the expiry or the name; EntityNotFound,
        if there is no such tenant; Unavailable.
        """
        key_id, token = _new_key(tenant_id)
        now = self._clock()
        chosen = checked_scopes(scopes)
        if not 1 <= user_id <= MAX_ID:
            raise InvalidEntity("user_id", f"must be a whole number from 1 to {MAX_ID}")
        if expires_at is not None and expires_at <= now:
            raise InvalidEntity("expires_at", "must be in the future")
        if len(name) > MAX_NAME or not name.isprintable():
            raise InvalidEntity("name", f"must be at most {MAX_NAME} printable letters")
        credential = Credential(
            tenant_id, key_id, digest_of(token), user_id, chosen, now, expires_at, None, name
        )
        with self._database.transaction() as connection:
            if find_tenant(connection, tenant_id) is None:
                raise EntityNotFound(f"there is no tenant {tenant_id}")
            insert_credential(connection, credential)
        return token

    def rotate(self, key_id: str, *, overlap: timedelta) -> str:
        """Store a key in the place of this one, which ends after `overlap`, and return it.

        The new key has the user, the scopes, the name and the length of life of the old one.
        Raises: EntityNotFound, if there is no such key, or it has ended; Unavailable.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            old = _lock(connection, key_id)
            if old is None or not old.is_active(now):
                raise EntityNotFound("there is no such key, or it is revoked or expired")
            lifetime = None if old.expires_at is None else old.expires_at - old.created_at
            new_id, token = _new_key(old.tenant_id)
            new = old._replace(
                id=new_id,
                digest=digest_of(token),
                created_at=now,
                expires_at=None if lifetime is None else now + lifetime,
                last_used_at=None,
            )
            insert_credential(connection, new)
            ends_at = min(filter(None, (old.expires_at, now + overlap)))
            connection.execute(_this(old.tenant_id, old.id).values(expires_at=ends_at))
        return token

    def find(self, tenant_id: int, key_id: str) -> Credential | None:
        """Return a stored key, active or not, or None. Raises: Unavailable."""
        with allowing((tenant_id,)):
            found = self._database.read(_FIND, {"tenant_id": tenant_id, "key_id": key_id})
        return _to_credential(found[0]) if found else None

    def of_tenant(
        self, tenant_id: int, *, text: str = "", limit: int, offset: int = 0
    ) -> Sequence[Credential]:
        """Return a tenant's keys, newest first, whose id or name has `text` in it.

        Raises: Unavailable.
        """
        wanted = {"tenant_id": tenant_id, "text": text, "limit": limit, "offset": offset}
        with allowing((tenant_id,)):
            return [_to_credential(row) for row in self._database.read(_OF_TENANT, wanted)]

    def list(self) -> "list[Credential]":
        """Return every stored key, by tenant and age. Raises: Unavailable."""
        ordered = select(credentials).order_by(_columns.tenant_id, _columns.created_at, _columns.id)
        with self._database.transaction() as connection:
            return [_to_credential(row) for row in connection.execute(ordered)]

    def revoke(self, key_id: str) -> bool:
        """Revoke the key with this id; returns whether there was one not yet revoked."""
        named = parse_key_id(key_id)
        if named is None:
            return False
        tenant_id, public_id = named
        statement = _this(tenant_id, public_id).where(_columns.revoked_at.is_(None))
        with self._database.transaction() as connection:
            revoked = connection.execute(statement.values(revoked_at=self._clock()))
            return bool(revoked.rowcount)

    def record_use(self, tenant_id: int, key_id: str, used_at: datetime) -> None:
        """Store when a key was used, unless a use in the minute before is stored already.

        Raises: Unavailable.
        """
        last = _columns.last_used_at
        statement = _this(tenant_id, key_id).where(last.is_(None) | (last <= used_at - USE_STEP))
        with allowing((tenant_id,)), self._database.transaction() as connection:
            connection.execute(statement.values(last_used_at=used_at))


def _this(tenant_id: int, key_id: str) -> Update:
    return update(credentials).where(_columns.tenant_id == tenant_id, _columns.id == key_id)


def _lock(connection: Connection, key_id: str) -> Credential | None:
    named = parse_key_id(key_id)
    if named is None:
        return None
    tenant_id, public_id = named
    locking = select(credentials).where(_columns.tenant_id == tenant_id, _columns.id == public_id)
    row = connection.execute(locking.with_for_update()).first()
    return None if row is None else _to_credential(row)


def _new_key(tenant_id: int) -> tuple[str, str]:
    """Return the id of a new key, and the whole key."""
    public = "".join(secrets.choice(_PUBLIC_ALPHABET) for _ in range(_PUBLIC_LENGTH))
    key_id = f"crm{tenant_id}x{public}"
    return key_id, key_id + secrets.token_urlsafe(_SECRET_BYTES)


def insert_credential(connection: Connection, credential: Credential) -> None:
    """Insert a key; a stored key with the same id is left as it is."""
    values = {**credential._asdict(), "scopes": list(credential.scopes)}
    connection.execute(insert(credentials).on_conflict_do_nothing(), values)


def delete_credential(connection: Connection, tenant_id: int, key_id: str) -> None:
    """Delete a key for good, as if it had never been; to end one, revoke it."""
    connection.execute(
        delete(credentials).where(credentials.c.tenant_id == tenant_id, credentials.c.id == key_id)
    )


def checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return different known scopes in their usual order; raises InvalidEntity."""
    wanted = set(scopes)
    if not wanted or not wanted.issubset(SCOPES):
        raise InvalidEntity("scopes", f"must be some of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in wanted)


def _to_credential(row: Sequence[Any]) -> Credential:
    credential = Credential(*row)
    return credential._replace(digest=bytes(credential.digest), scopes=tuple(credential.scopes))
