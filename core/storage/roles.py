"""Roles of PostgreSQL: an owner for migrations, a service for requests, a reader for people.

The service owns nothing and sees, by row-level security, only the rows of the tenants in the
setting `crm.tenants` of its session: a statement that forgets its predicate gives nothing. The
setting follows the credential of the request, not the statement.
"""

from collections.abc import Iterator

from core.storage.connector import TENANTS_SETTING
from core.storage.database import Database
from core.storage.distribution import DISTRIBUTION_COLUMN, has_citus
from core.storage.tables import metadata

OWNER, SERVICE, READER = "crm_owner", "crm_service", "crm_reader"
POLICY = "tenants_of_request"
HIDDEN_FROM_PEOPLE = ("credentials", "database_identity", "idempotency_keys")
# The scalar subquery is worked out once for a statement, not for each row.
_ALLOWED = f"""{DISTRIBUTION_COLUMN} = ANY (
    (SELECT string_to_array(current_setting('{TENANTS_SETTING}', true), ','))::BIGINT[])"""


def statements() -> Iterator[str]:
    """Give the statements that make the roles and the policies; they may be run again.

    Who runs them must own the tables, and be allowed to make roles. No role has a password:
    they are given by hand.
    """
    for role in (OWNER, SERVICE, READER):
        yield f"""DO $$ BEGIN CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS;
EXCEPTION WHEN duplicate_object THEN NULL; END $$"""
    yield f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}"
    yield f"GRANT USAGE ON SCHEMA public TO {SERVICE}, {READER}"
    for name in ("alembic_version", *sorted(metadata.tables)):
        yield from _of_table(name)


def _of_table(name: str) -> Iterator[str]:
    is_tenants = name in metadata.tables and DISTRIBUTION_COLUMN in metadata.tables[name].columns
    rights = "SELECT, INSERT, UPDATE, DELETE" if is_tenants else "SELECT"
    yield f"GRANT {rights} ON {name} TO {SERVICE}"
    if name not in HIDDEN_FROM_PEOPLE:
        yield f"GRANT SELECT ON {name} TO {READER}"
    if is_tenants:
        yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
        yield f"DROP POLICY IF EXISTS {POLICY} ON {name}"
        yield f"CREATE POLICY {POLICY} ON {name} TO {SERVICE} USING ({_ALLOWED})"
        yield f"DROP POLICY IF EXISTS every_tenant ON {name}"
        yield f"CREATE POLICY every_tenant ON {name} FOR SELECT TO {READER} USING (true)"
    yield f"ALTER TABLE {name} OWNER TO {OWNER}"


def hold_for(database: Database) -> bool:
    """Return whether the policies bind the role that this database is read as.

    They bind neither a superuser nor the owner, and there are none on Citus. Raises: Unavailable.
    """
    return bool(database.read("SELECT row_security_active('activities')", {})[0][0])


def apply(database: Database) -> None:
    """Make the roles and the policies, in one transaction.

    Raises: LookupError on Citus, where the setting never reaches the nodes; Unavailable.
    """
    with database.transaction() as connection:
        if has_citus(connection):
            raise LookupError("on Citus the tenants of a request never reach the nodes")
        for statement in statements():
            connection.exec_driver_sql(statement)
