"""Distribution over the nodes of a cluster: by migrations, by command, with and without rows."""

from contextlib import closing

from click.testing import CliRunner
from support.citus import ClusterDatabase

from core.domain.model import Tenant
from core.storage import migrate
from core.storage.database import Database
from core.storage.distribution import distribute, missing_tables
from core.storage.tenant_store import Tenants
from core.transfer.demo import load_demo
from core.transfer.exporter import export_lines
from gateway.cli.program import main

LEFT_BEHIND = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relname = 'activities'"


def test_upgrade_distributes_empty_tables(unjoined_database: ClusterDatabase):
    unjoined_database.join_nodes()
    with closing(Database(unjoined_database.url)) as database:
        assert migrate.upgrade(database) == []
        assert migrate.upgrade(database) == []
        with database.transaction() as connection:
            assert missing_tables(connection) == []


def test_distribute_moves_rows_and_repeats(unjoined_database: ClusterDatabase):
    with closing(Database(unjoined_database.url)) as database:
        assert migrate.upgrade(database) == []
        load_demo(database)
        before = list(export_lines(database))
        unjoined_database.join_nodes()
        assert migrate.upgrade(database)[0] == "tenants"
        assert distribute(database)[0] == "tenants"
        assert distribute(database) == []
        assert list(export_lines(database)) == before
        assert database.read(LEFT_BEHIND, {})[0][0] == 0


def test_command_distributes_what_upgrade_left(unjoined_database: ClusterDatabase):
    environ = {"DATABASE_URL": unjoined_database.url, "REDIS_URL": "none"}
    with closing(Database(unjoined_database.url)) as database:
        migrate.upgrade(database)
        Tenants(database).create(Tenant(1, "T", "UTC", "UTC"))
    unjoined_database.join_nodes()
    told = CliRunner().invoke(main, ["db", "upgrade"], env=environ)
    assert "run crm-gateway db distribute" in told.output
    first, again = (CliRunner().invoke(main, ["db", "distribute"], env=environ) for _ in range(2))
    assert "distributed now: tenants, activities" in first.output
    assert "nothing more" in again.output


def test_row_security_is_refused_with_its_reason(unjoined_database: ClusterDatabase):
    environ = {"DATABASE_URL": unjoined_database.url, "REDIS_URL": "none"}
    unjoined_database.join_nodes()
    with closing(Database(unjoined_database.url)) as database:
        migrate.upgrade(database)
    told = CliRunner().invoke(main, ["db", "roles", "--apply"], env=environ)
    assert (told.exit_code, "on Citus" in told.stderr) == (1, True)
    environ["GATEWAY_ROW_SECURITY"] = "true"
    refused = CliRunner().invoke(main, ["serve"], env=environ)
    assert (refused.exit_code, "none on Citus" in refused.stderr) == (1, True)
