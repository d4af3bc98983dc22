"""One run: its scratch directory, its engines, its databases, and the servers it has started."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import psycopg

from deploy.bench import dataset, load, peers
from deploy.bench.dataset import Size
from deploy.bench.load import Sample
from deploy.bench.servers import Server, ServerError
from deploy.bench.workload import Workload, deskera_pages
from gateway.embedded.engines import Engine, start_postgres, start_redis

POSTGRES_SETTINGS = ("shared_buffers=512MB", "max_wal_size=4GB", "max_connections=200")
LOADING_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Plan(NamedTuple):
    """How much is measured."""

    size: Size
    small: Size
    large: Size
    huge: Size
    many: Size
    rounds: int
    seconds: float
    warm_seconds: float
    limit_seconds: float
    cluster_url: str = ""


STANDARD = Plan(
    size=dataset.STANDARD,
    small=dataset.SMALL,
    large=dataset.SMALL._replace(activities=1_000_000),
    huge=dataset.SMALL._replace(activities=dataset.HUGE_ACTIVITIES),
    many=dataset.MANY,
    rounds=3,
    seconds=4,
    warm_seconds=3,
    limit_seconds=780,
)
QUICK = Plan(
    size=dataset.QUICK,
    small=dataset.SMALL._replace(activities=2_000),
    large=dataset.SMALL._replace(activities=20_000),
    huge=dataset.SMALL._replace(activities=50_000),
    many=dataset.FEW,
    rounds=1,
    seconds=1,
    warm_seconds=1,
    limit_seconds=120,
)


class Bench:
    """What the experiments share. `numbers` is what they found, `notes` what they could not."""

    def __init__(self, plan: Plan) -> None:
        """Start the engines; databases and servers come when they are first needed."""
        self.plan = plan
        self.numbers: dict[str, float] = {}
        self.notes: list[str] = []
        self._deadline = time.monotonic() + plan.limit_seconds
        self.scratch = Path(tempfile.mkdtemp(prefix="crm-bench-"))
        self._postgres: Engine | None = None
        self._redis: Engine | None = None
        self._servers: dict[str, Server] = {}
        self._missing: set[str] = set()
        self._served: dict[str, str] = {}
        self._filled: set[str] = set()

    def __enter__(self) -> "Bench":
        try:
            self._postgres = start_postgres(self.scratch / "postgres", POSTGRES_SETTINGS)
            self._redis = start_redis(self.scratch / "redis")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._servers.values():
            server.stop()
        for engine in (self._redis, self._postgres):
            if engine is not None:
                engine.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def redis_url(self) -> str:
        """The Redis of this run."""
        assert self._redis is not None
        return self._redis.url

    @property
    def running(self) -> Mapping[str, Server]:
        """The servers that run now, by name."""
        return self._servers

    @property
    def tenant_ids(self) -> list[int]:
        """The tenants of the main database."""
        return self.plan.size.tenant_ids

    def seconds_left(self) -> float:
        """Return how long the run may still take."""
        return self._deadline - time.monotonic()

    def show_progress(self, text: str) -> None:
        """Write one line about the progress to stderr."""
        sys.stderr.write(f"[{self.plan.limit_seconds - self.seconds_left():5.0f} s] {text}\n")
        sys.stderr.flush()

    def database(self, name: str = "main", *, limit_seconds: float = 0) -> str:
        """Return the URL of a database of this run, filled on first use.

        "main" holds the tenants and the tables of the peers, "small", "large" and "huge" one tenant
        each, "many" thousands of them.
        Raises: psycopg.errors.QueryCanceled, if filling takes longer than the limit; 0 is none.
        """
        assert self._postgres is not None
        url = self._postgres.url.replace("/crm?", f"/{name}?")
        if name not in self._filled:
            size: Size = self.plan.size if name == "main" else getattr(self.plan, name)
            rows = f"{size.tenants} x {size.activities:,} activities"
            self.show_progress(f"filling database {name}: {rows}")
            self._create(name, lambda: dataset.fill(url, size, limit_seconds=limit_seconds))
            if name == "main":
                dataset.fill_peers(url)
            self._filled.add(name)
        return url

    def empty_database(self, name: str) -> str:
        """Return the URL of a new database of this run without any table."""
        assert self._postgres is not None
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._postgres.url.replace("/crm?", f"/{name}?")

    def _create(self, name: str, fill: Callable[[], None]) -> None:
        """Make and fill a database, without waiting for the disk meanwhile."""
        assert self._postgres is not None
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        with self.waiting_for_no_disk():
            fill()

    @contextmanager
    def waiting_for_no_disk(self) -> Iterator[None]:
        """Let PostgreSQL acknowledge what is only in memory yet."""
        assert self._postgres is not None
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            for setting, value in LOADING_SETTINGS.items():
                connection.execute(f"ALTER SYSTEM SET {setting} = {value}")
            connection.execute("SELECT pg_reload_conf()")
            try:
                yield
            finally:
                connection.execute("ALTER SYSTEM RESET ALL")
                connection.execute("SELECT pg_reload_conf()")

    def server(self, name: str) -> Server | None:
        """Return a running server by its name, or None, with a note, if it cannot run here."""
        if name not in self._servers and name not in self._missing:
            try:
                self._servers[name] = self._start(name)
            except ServerError as error:
                self._leave_out(name, error)
        return self._servers.get(name)

    def serve(self, name: str, url: str) -> None:
        """Let `server` start the service on a database that the run has not filled itself."""
        self._served[name] = url

    def _leave_out(self, name: str, error: ServerError) -> None:
        self._missing.add(name)
        self.notes.append(f"{name} is left out: {error}")

    def stop(self, name: str) -> None:
        """Stop a server that is not needed any more."""
        server = self._servers.pop(name, None)
        if server is not None:
            server.stop()

    def _start(self, name: str) -> Server:
        self.show_progress(f"starting {name}")
        if name == "many":
            urls = {"database_url": self.database(name), "redis_url": self.redis_url}
            return peers.ours("many", **urls, scratch=self.scratch)
        if name in ("small", "large", "huge") or name in self._served:
            url = self._served.get(name) or self.database(name)
            urls = {"database_url": url, "redis_url": "none"}
            return peers.ours("uncached", **urls, scratch=self.scratch, name=name)
        url = self.database()
        if name == "usual":
            return peers.usual(database_url=url, scratch=self.scratch)
        if name == "feathers":
            return peers.feathers(database_url=url, scratch=self.scratch)
        if name == "floor":
            return peers.floor(self._floor_body(), scratch=self.scratch)
        return peers.ours(name, database_url=url, redis_url=self.redis_url, scratch=self.scratch)

    def _floor_body(self) -> bytes:
        workload = deskera_pages(self.tenant_ids[:1], [1])
        server = self.server("uncached")
        if server is None:
            raise ServerError("there is no body to answer with")
        return server.wait_for(workload.paths[0][1], workload.tokens[0])

    def compare(
        self, row: str, names: Sequence[str], workload: Workload, *, warmup_factor: float = 1
    ) -> None:
        """Load several servers in turn with the same requests, and keep the medians.

        `warmup_factor` multiplies the seconds of the warm-up.
        """
        written = load.write_workload(workload, self.scratch / f"{row}.workload")
        running = self.ready(names, workload)
        for server in running.values():
            load.run(server, written, seconds=warmup_factor * self.plan.warm_seconds, seed=0)
        samples: dict[str, list[Sample]] = {name: [] for name in running}
        for seed in range(1, self.plan.rounds + 1):
            if self.seconds_left() <= 0:
                self.notes.append(f"{row} has only {seed - 1} rounds: the time is over")
                break
            for name, server in running.items():
                self.show_progress(f"{row}: {name}, round {seed} of {self.plan.rounds}")
                found = load.run(server, written, seconds=self.plan.seconds, seed=seed)
                samples[name].append(found)
        for name, rounds in samples.items():
            if rounds:
                self.record(f"{row}.{name}", load.median_of(rounds)._asdict())

    def ready(self, names: Sequence[str], workload: Workload) -> Mapping[str, Server]:
        """Return those of the servers that run and answer a first request."""
        running = {}
        for name in names:
            server = self.server(name)
            if server is None:
                continue
            try:
                server.wait_for(workload.paths[0][1], workload.tokens[workload.paths[0][0]])
                running[name] = server
            except ServerError as error:
                self._leave_out(name, error)
                self.stop(name)
        return running

    def record(self, prefix: str, numbers: Mapping[str, float]) -> None:
        """Record numbers under a common prefix."""
        self.numbers.update({f"{prefix}.{name}": value for name, value in numbers.items()})
