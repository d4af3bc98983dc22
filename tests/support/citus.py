"""A Citus cluster as the tests use it: databases of their own on every node."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

CLUSTER_URL = "CRM_TEST_DATABASE_URL"
"""The variable with the URL of a cluster's coordinator, for `make test-citus`."""

JOIN_LOCK = 7_308_605
"""Any constant: a node that joins is told of roles, which all databases share, by one at a time."""
_NODES = "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid {} 0 ORDER BY nodeport"


class ClusterDatabase:
    """A database on every node of a cluster; Citus does not know of it before `join_nodes`."""

    def __init__(self, cluster_url: str, name: str) -> None:
        """Make it on the nodes of the database that `cluster_url` names."""
        coordinator = make_url(cluster_url)
        with _session(coordinator) as session:
            self._coordinators = session.execute(_NODES.format("=")).fetchall()
            self._workers = session.execute(_NODES.format(">")).fetchall()
        self._name = sql.Identifier(name)
        self._servers = [coordinator, *(_at(coordinator, *place) for place in self._workers)]
        self._nodes = [server.set(database=name) for server in self._servers]
        self.url = _text(self._nodes[0])
        self.drop()
        for server in self._servers:
            with _session(server) as session:
                session.execute("SET citus.enable_create_database_propagation TO off")
                session.execute(sql.SQL("CREATE DATABASE {}").format(self._name))

    def join_nodes(self) -> None:
        """Make it one distributed database, in which nothing is distributed yet."""
        for node in self._nodes:
            with _session(node) as session:
                session.execute("CREATE EXTENSION citus")
        with _session(self._servers[0]) as turn, _session(self._nodes[0]) as session:
            turn.execute("SELECT pg_advisory_lock(%s)", [JOIN_LOCK])  # Until it is closed.
            for place in self._coordinators:
                session.execute("SELECT citus_set_coordinator_host(%s, %s)", place)
            for place in self._workers:
                session.execute("SELECT citus_add_node(%s, %s)", place)
            session.execute(
                sql.SQL("ALTER DATABASE {} SET citus.shard_count TO 4").format(self._name)
            )

    def drop(self) -> None:
        """Drop it on every node."""
        for server in self._servers:
            with _session(server) as session:
                session.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(self._name)
                )


@contextmanager
def own_database(cluster_url: str, name: str) -> Iterator[ClusterDatabase]:
    """Give a new, empty database of this name on every node of a cluster."""
    database = ClusterDatabase(cluster_url, name)
    yield database
    database.drop()


def _at(coordinator: URL, host: str, port: int) -> URL:
    return coordinator.set(host=host, port=port)


def _text(node: URL) -> str:
    return node.render_as_string(hide_password=False)


def _session(node: URL) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(_text(node), autocommit=True)
