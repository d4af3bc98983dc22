"""Which nodes of a Citus cluster hang, so that only requests of their own tenants fail.

The coordinator does not end a statement that waits for a node which answers nothing: a crowd of
such requests would take every thread and connection from the tenants of other nodes. Therefore a
thread looks after statements that wait for long. It sends a read by key to the node of their
tenant; without an answer that node is taken to be frozen, and whatever waits for it is let go.
From then on statements for its tenants are refused before they are sent, until the node answers.
A server that is no cluster is found out at the first slow statement, and left alone.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import psycopg

from core.domain.errors import Unavailable
from core.storage.circuit import shut_down
from core.storage.connector import LimitedConnection

INTERVAL_SECONDS = 0.1
SLOW_SECONDS = 0.25
PROBE_SECONDS = 1.0
"""A node that has not answered a read by key for so long is taken to be frozen."""
PAUSE_SECONDS = 1.0
GIVE_UP_SECONDS = 5.0, 15.0
"""How long the first probe of an outage waits, and the last; each may cost a session meanwhile."""
MAX_TENANTS = 20_000
UNKNOWN = -1

_CITUS = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
_PROBE = "SELECT 1 FROM tenants WHERE tenant_id = %(tenant_id)s::BIGINT"
_NODE_OF = """
    SELECT groupid FROM pg_dist_placement
    WHERE shardid = get_shard_id_for_distribution_column('tenants', %(value)s::BIGINT)"""

Read = Callable[[str, Mapping[str, Any]], Sequence[tuple[Any, ...]]]
Connect = Callable[[], psycopg.Connection[Any]]


class NodeWatch:
    """Nothing is frozen until `start` was called and a statement has waited for long."""

    def __init__(
        self, read: Read, connections: Callable[[], Iterable[psycopg.Connection[Any]]]
    ) -> None:
        """Look after these connections; `read` asks the coordinator, which has the catalogue."""
        self._read = read
        self._connections = connections
        self._frozen: set[int] = set()
        self._nodes: dict[int, int] = {}  # By tenant.
        self._probes: dict[int, _Probe] = {}
        self._stopping = Event()

    def start(self, connect: Connect) -> None:
        """Watch from now on, in a thread of its own; `connect` makes the probes' connections."""
        self._connect = connect
        # A daemon, because a process must be able to end while a node is frozen.
        Thread(target=self._run, name="nodes", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()

    def is_frozen(self, tenant_id: int | None) -> bool:
        """Return whether a tenant's node is known not to answer; may ask the coordinator."""
        if not self._frozen or tenant_id is None:
            return False
        return self._node_of(tenant_id) in self._frozen

    def may_be_frozen(self, tenant_id: int) -> bool:
        """Return whether a tenant's node is not known to answer, without asking anybody."""
        return bool(self._frozen) and self._nodes.get(tenant_id, UNKNOWN) in {
            UNKNOWN,
            *self._frozen,
        }

    def _node_of(self, tenant_id: int) -> int:
        node = self._nodes.get(tenant_id, UNKNOWN)
        if node == UNKNOWN:
            with suppress(Unavailable, psycopg.Error):  # The tables may not be distributed yet.
                found = self._read(_NODE_OF, {"value": tenant_id})
                node = found[0][0] if found else UNKNOWN
            if len(self._nodes) >= MAX_TENANTS:
                self._nodes.clear()
            self._nodes[tenant_id] = node
        return node

    def _run(self) -> None:
        is_cluster = False
        while not self._stopping.wait(INTERVAL_SECONDS):
            slow = self._slow_connections()
            if slow and not is_cluster:
                with suppress(Unavailable):
                    is_cluster = bool(self._read(_CITUS, {}))
                    if not is_cluster:
                        return
            for connection in slow:
                self._suspect(connection, connection.tenant_id)
            for node, probe in list(self._probes.items()):
                self._judge(node, probe)

    def _slow_connections(self) -> list[LimitedConnection]:
        before = time.monotonic() - SLOW_SECONDS
        return [
            connection
            for connection in self._connections()
            if isinstance(connection, LimitedConnection) and connection.waits_since(before)
        ]

    def _suspect(self, connection: LimitedConnection, tenant_id: int | None) -> None:
        node = UNKNOWN if tenant_id is None else self._node_of(tenant_id)
        if node in self._frozen:
            if connection.tenant_id == tenant_id:  # It may serve another one by now.
                shut_down(connection)
        elif tenant_id is not None and node != UNKNOWN and node not in self._probes:
            self._probes[node] = _Probe(self._connect, tenant_id, GIVE_UP_SECONDS[0])

    def _judge(self, node: int, probe: "_Probe") -> None:
        seconds = time.monotonic() - probe.sent_at
        if probe.is_answered:
            self._frozen.discard(node)
            if seconds >= PAUSE_SECONDS:
                del self._probes[node]
                self._forget_nodes()
        elif seconds >= PROBE_SECONDS:
            self._frozen.add(node)
            if not probe.is_running:
                longer = min(2 * probe.limit_seconds, GIVE_UP_SECONDS[1])
                self._probes[node] = _Probe(self._connect, probe.tenant_id, longer)

    def _forget_nodes(self) -> None:
        """Learn anew where tenants are at the next outage: shards are moved meanwhile."""
        if not self._frozen:
            self._nodes.clear()


class _Probe:
    """A read of one row from a node, in a thread of its own."""

    def __init__(self, connect: Connect, tenant_id: int, limit_seconds: float) -> None:
        self.tenant_id = tenant_id
        self.limit_seconds = limit_seconds
        self.sent_at = time.monotonic()
        self.is_answered = False
        self._thread = Thread(target=self._run, args=(connect,), name="probe", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def _run(self, connect: Connect) -> None:
        """Ask once; an error that comes at once is an answer, a node's death among them."""
        try:
            with connect() as connection:
                if isinstance(connection, LimitedConnection):
                    connection.reply_seconds = self.limit_seconds
                self.sent_at = time.monotonic()
                connection.execute(_PROBE, {"tenant_id": self.tenant_id}, prepare=False)
            self.is_answered = True
        except psycopg.Error:
            self.is_answered = time.monotonic() - self.sent_at < PROBE_SECONDS
