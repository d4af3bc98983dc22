"""A plugin of pytest for runs on a cluster: whatever the tests send goes to one shard.

Every statement of every `Database` of this process is remembered with its first values. After
the test that sent it first it is prepared and explained, as reads plan and as transactions do, and
a test whose statement takes more than one task of Citus, or a subplan, fails.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from traceback import walk_stack
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.adapt import PyFormat, Transformer
from sqlalchemy.engine import make_url

from core.storage import database, read_pool
from core.storage.database import Database
from core.storage.tables import metadata

ROOT = Path(__file__).parents[2]
OURS = {ROOT / room for room in ("adapters", "core", "gateway", "tests")}
CARRIERS = {Path(__file__), Path(read_pool.__file__), Path(database.__file__)}
"""The files that a statement passes on its way, whoever sends it."""

TENANT_TABLES = frozenset(
    name for name, table in metadata.tables.items() if "tenant_id" in table.columns
)
NAMES = re.compile(r"\w+")
TASKS = re.compile(r"Task Count: \d+")
PARAMETER = re.compile(r"%\((\w+)\)s")
CUSTOM_PLANS_OF_A_CACHE = 5
"""As often a plan is made for its values before PostgreSQL may choose a generic one."""
ADMINISTRATIVE = {
    "import: rows are staged on the coordinator and merged from there": r"incoming_",
    "export: the tenants there are": r"FROM tenants ORDER BY tenants.tenant_id$",
    "token list: the keys of all tenants": r"FROM credentials ORDER BY credentials.tenant_id",
    "db upgrade, db rezone: the zones of all tenants": r"SELECT tenants.tenant_id, "
    r"tenants.timezone\s+FROM tenants\s*$",
    "serve: the node that has a tenant, as the coordinator knows it": r"pg_dist_placement",
    "serve: whether row-level security binds its role": r"row_security_active|crm\.tenants",
    "db upgrade, db distribute": r"\b(CREATE|ALTER|citus_tables|regclass)\b|create_distributed|"
    r"SELECT EXISTS \(SELECT FROM \w+\)$",
}
"""What is allowed to reach every shard, and by what it is known."""


HANDED_OVER = "statements_checked"


class OneShardCheck:
    """Explains statements; counts those that went to one shard."""

    def __init__(self, cluster_url: str) -> None:
        """Watch every `Database` of the cluster that is made from now on."""
        self.checked: dict[str, bool] = {}
        self._pending: dict[str, tuple[str, Any]] = {}
        make = Database.__init__

        def make_watched(made: Database, url: str, **options: Any) -> None:
            make(made, url, **options)
            if server_of(url) == server_of(cluster_url):  # Some tests start servers of their own.
                made.observers.append(partial(self._remember, url))

        Database.__init__ = make_watched

    def _remember(self, url: str, statement: str, parameters: Any) -> None:
        if statement not in self.checked and is_sent_by_core():
            self._pending.setdefault(statement, (url, parameters))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """Explain what a test sent first, as long as its tables are there."""
        faults = [fault for fault in map(self._fault_of, list(self._pending)) if fault]
        self._pending.clear()
        yield
        assert not faults, "\n\n".join(faults)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what one of several test processes looked at."""
        self.checked.update(getattr(node, "workeroutput", {}).get(HANDED_OVER, {}))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what was looked at, if this is one of several test processes."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[HANDED_OVER] = self.checked

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many statements were looked at."""
        count = sum(self.checked.values())
        terminalreporter.write_line(f"{count} different statements were explained: one shard each")

    def _fault_of(self, statement: str) -> str | None:
        url, parameters = self._pending[statement]
        self.checked[statement] = is_request_statement(statement)
        if not self.checked[statement]:
            return None
        try:
            plans = explain(url, statement, parameters)
        except psycopg.Error as error:
            return f"cannot be explained: {statement}\n{parameters}\n{error}"
        wrong = next((plan for plan in plans if not is_of_one_shard(plan)), None)
        return wrong and f"not answered by one shard: {statement}\n{wrong}"


def server_of(url: str) -> tuple[str | None, int | None]:
    """Return the host and the port that a URL names."""
    parts = make_url(url)
    return parts.host, parts.port


def is_sent_by_core() -> bool:
    """Return whether the statement that is being sent is the core's, not a test's own."""
    senders = (Path(frame.f_code.co_filename) for frame, _ in walk_stack(None))
    ours = (path for path in senders if path not in CARRIERS and OURS & set(path.parents))
    return next(ours).is_relative_to(ROOT / "core")


def is_request_statement(statement: str) -> bool:
    """Return whether a statement is about tenants' tables, and no administrative one."""
    if not TENANT_TABLES & set(NAMES.findall(statement)):
        return False
    return not any(re.search(pattern, statement) for pattern in ADMINISTRATIVE.values())


def explain(url: str, statement: str, parameters: Any) -> list[str]:
    """Return the plans of a statement: for its values, and as a cache of plans chooses then."""
    values = parameters[0] if isinstance(parameters, list) else parameters or {}
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(_prepare(statement, values))
        execution = _execute(statement, values)
        plans = [_plan(session, execution) for _ in range(CUSTOM_PLANS_OF_A_CACHE + 1)]
        session.execute("SET plan_cache_mode TO force_custom_plan")
        return [*plans, _plan(session, execution)]


def _plan(session: psycopg.Connection[Any], execution: sql.Composable) -> str:
    return "".join(f"{line}\n" for (line,) in session.execute(execution))


def is_of_one_shard(plan: str) -> bool:
    """Return whether a plan sends one task to one node and needs nothing before."""
    return len(TASKS.findall(plan)) == 1 and "Task Count: 1\n" in plan and "Subplan" not in plan


def _names_of(statement: str) -> list[str]:
    return list(dict.fromkeys(PARAMETER.findall(statement)))


def _prepare(statement: str, values: Mapping[str, Any]) -> str:
    """Return the statement as the driver prepares it: with the types of its first values."""
    names = _names_of(statement)
    numbers = {name: f"${index}" for index, name in enumerate(names, start=1)}
    body = PARAMETER.sub(lambda found: numbers[found[1]], statement).replace("%%", "%")
    types = ", ".join(_type_of(values[name]) for name in names)
    return f"PREPARE served{f' ({types})' if types else ''} AS {body}"


def _type_of(value: Any) -> str:
    if value is None:
        return "unknown"
    number = Transformer().get_dumper(value, PyFormat.AUTO).oid
    found = psycopg.adapters.types.get(number)
    if found is None:
        return "unknown"
    return f"{found.regtype}[]" if number == found.array_oid else found.regtype


def _execute(statement: str, values: Mapping[str, Any]) -> sql.Composable:
    given = [sql.Literal(values[name]) for name in _names_of(statement)]
    arguments = sql.SQL("({})").format(sql.SQL(", ").join(given)) if given else sql.SQL("")
    return sql.SQL("EXPLAIN EXECUTE served{}").format(arguments)
