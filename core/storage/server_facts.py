"""What an operator has to know of a PostgreSQL server before the service runs on it."""

from datetime import datetime
from typing import NamedTuple

from core.storage.database import Database
from core.storage.tables import metadata

EXTENSIONS = ("btree_gin", "pg_trgm")
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


class ServerFacts(NamedTuple):
    """A server as the service's role sees it; `now` is its clock in the middle of the look."""

    version: int
    now: datetime
    encoding: str
    role: str
    is_superuser: bool
    connection_limit: int
    has_autovacuum: bool
    is_replica: bool
    usable_extensions: list[str]
    refused_tables: list[str]


def read_facts(database: Database) -> ServerFacts:
    """Return the facts of the server behind a database. Raises: Unavailable."""
    (facts,) = database.read(_FACTS, {"extensions": list(EXTENSIONS)}, generic_plan=False)
    names = {"tables": sorted(metadata.tables), "privileges": list(PRIVILEGES)}
    refused = database.read(_REFUSED, names, generic_plan=False)
    return ServerFacts._make([*facts, [table for (table,) in refused]])


_FACTS = """
    SELECT current_setting('server_version_num')::int,
        clock_timestamp(),
        current_setting('server_encoding'),
        current_user::text,
        current_setting('is_superuser')::bool,
        current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int,
        current_setting('autovacuum')::bool,
        pg_is_in_recovery(),
        ARRAY(SELECT name::text FROM pg_available_extensions WHERE name = ANY(%(extensions)s))"""
# Tables that a role may not read and write; those that are not made yet are passed over.
_REFUSED = """
    SELECT name FROM unnest(%(tables)s::text[]) AS name
    WHERE to_regclass(name) IS NOT NULL AND EXISTS (
        SELECT FROM unnest(%(privileges)s::text[]) AS privilege
        WHERE NOT has_table_privilege(to_regclass(name), privilege))
    ORDER BY name"""
