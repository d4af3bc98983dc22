"""The demo data: the records that the two vendors' pages show, so that their samples work.

Tenant 64797 is Deskera's page, tenant 27 AchieveApex's. What the pages leave out is ours: the
names of tenants, of deals 790 and 791, of contacts 457 and 458 and of company 346, activity 2,
and tenant 27's time zone.
"""

from datetime import datetime
from importlib.resources import files

from core.domain.clock import Clock, utc_now
from core.storage.credential_store import (
    DEFAULT_SCOPES,
    DEMO_KEY_ID,
    DEMO_TENANT_ID,
    DEMO_TOKEN,
    Credential,
    Credentials,
    delete_credential,
    digest_of,
    insert_credential,
)
from core.storage.database import Database
from core.storage.tenant_eraser import erase_records
from core.transfer.importer import import_lines

DESKERA_USER_ID = 46944
APEX_TENANT_ID = 27
APEX_USER_ID = 45


def load_demo(database: Database, *, clock: Clock = utc_now) -> None:
    """Store the demo data and the key `sampleaccesstoken`, where they were never stored before.

    What was changed, deleted or revoked since the first load stays as it is.
    Raises: Unavailable.
    """
    _import_demo(database, skip_known=True, clock=clock)


def reset_demo(database: Database, *, clock: Clock = utc_now) -> None:
    """Bring the demo data and its key back as they were first stored.

    Whatever else the two tenants have is erased; other keys of theirs stay. If this is interrupted,
    the tenants may be left empty: call it again. Raises: Unavailable.
    """
    with database.transaction() as connection:
        for tenant_id in sorted((APEX_TENANT_ID, DEMO_TENANT_ID)):
            erase_records(connection, tenant_id)
        delete_credential(connection, DEMO_TENANT_ID, DEMO_KEY_ID)
    _import_demo(database, skip_known=False, clock=clock)


def _import_demo(database: Database, *, skip_known: bool, clock: Clock) -> None:
    lines = files("core.transfer").joinpath("demo.ndjson").read_bytes().splitlines()
    report = import_lines(database, lines, skip_known=skip_known, clock=clock)
    if report.bad_count:  # The file is ours: this can only be a mistake in it.
        raise ValueError(f"core/transfer/demo.ndjson: {report.bad_lines}")
    with database.transaction() as connection:
        insert_credential(connection, _demo_credential(clock()))


def _demo_credential(now: datetime) -> Credential:
    return Credential(
        tenant_id=DEMO_TENANT_ID,
        id=DEMO_KEY_ID,
        digest=digest_of(DEMO_TOKEN),
        user_id=DESKERA_USER_ID,
        scopes=DEFAULT_SCOPES,
        created_at=now,
        expires_at=None,
        revoked_at=None,
    )


def demo_key_is_active(database: Database, *, clock: Clock = utc_now) -> bool:
    """Return whether the key that everybody knows opens this database. Raises: Unavailable."""
    credential = Credentials(database).find(DEMO_TENANT_ID, DEMO_KEY_ID)
    return credential is not None and credential.is_active(clock())
