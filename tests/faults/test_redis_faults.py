"""Redis breaks under load: nobody is told anything old, wrong or late."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import redis
from support.entity_watch import EntityWatch
from support.fault_load import IS_LONG
from support.fault_scene import TENANTS, USER, Scene

from core.storage.credential_store import Credentials
from core.storage.database import Database

Record = Callable[[str, object], None]
Break = Callable[[Scene], None]
FAULT_SECONDS = 10.0 if IS_LONG else 2.0
QUIET_SECONDS, AFTER_SECONDS = 0.7, 1.5
USED_AGAIN_SECONDS = 2.0
LONGEST_READ_SECONDS, TIMES_QUIET = 1.0, 3.0
"""Redis costs a read its deadline of 50 ms, once a second; the rest is what the machine is busy
with, as it is in quiet times."""
SCOPES = ("read", "write", "directory")
FULL_BYTES = 100_000


def client(scene: Scene) -> "redis.Redis[bytes]":
    return redis.Redis.from_url(scene.redis.url, socket_timeout=5)


def snapshot_file(scene: Scene) -> Path:
    """Return where Redis looks for what it kept, when it starts."""
    return Path(unquote(urlsplit(scene.redis.url).path)).parent / "dump.rdb"


def entries(scene: Scene) -> list[bytes]:
    return list(client(scene).scan_iter("crm:*", count=1000))


def kill(scene: Scene) -> None:
    scene.redis.kill()


def freeze(scene: Scene) -> None:
    scene.redis.freeze()


def wipe(scene: Scene) -> None:
    end = time.monotonic() + FAULT_SECONDS
    while time.monotonic() < end:
        client(scene).flushall()
        time.sleep(0.1)


def fill_up(scene: Scene) -> None:
    server = client(scene)
    server.config_set("maxmemory-policy", "noeviction")
    server.config_set("maxmemory", FULL_BYTES)


def make_room(scene: Scene) -> None:
    server = client(scene)
    server.config_set("maxmemory", 256 * 2**20)
    server.config_set("maxmemory-policy", "allkeys-lru")


def spoil(scene: Scene) -> None:
    """Put noise, halves, lists and the entries of others under all keys, again and again."""
    noise, end = random.Random(1), time.monotonic() + FAULT_SECONDS
    while time.monotonic() < end:
        server, keys = client(scene), entries(scene)
        values = [value for value in server.mget(keys) if value] if keys else []
        for key in keys:
            value = noise.choice(values) if values else b""
            kind = noise.randrange(5)
            if kind == 0:  # At once: a gateway would write between the two.
                server.pipeline().delete(key).rpush(key, value).execute()
                continue
            junk = (noise.randbytes(200), value, value[: len(value) // 2], value + b"}")
            server.set(key, junk[kind - 1])
        time.sleep(0.05)


def kill_with_snapshot(scene: Scene) -> None:
    """Keep a copy of what it holds now, and kill it a moment later."""
    client(scene).save()
    time.sleep(FAULT_SECONDS)
    scene.redis.kill()


def start_again(scene: Scene) -> None:
    scene.redis.start()


def start_older(scene: Scene) -> None:
    assert snapshot_file(scene).stat().st_size > 1000
    scene.redis.start()
    assert client(scene).dbsize() > 0


def do_nothing(scene: Scene) -> None:
    pass


def thaw(scene: Scene) -> None:
    scene.redis.thaw()


def new_watch(scene: Scene) -> EntityWatch:
    """Return the watch of a new caller."""
    database = Database(scene.postgres.url)
    key = Credentials(database).create(tenant_id=TENANTS["first"], user_id=USER, scopes=SCOPES)
    database.close()
    return EntityWatch([gateway.port for gateway in scene.gateways], key)


@pytest.fixture(scope="module")
def allowed_seconds(shared_scene: Scene) -> float:
    """Give how long a read may take, which is more where the machine has other things to do."""
    with shared_scene.load() as load, new_watch(shared_scene) as watch:
        load.hold(FAULT_SECONDS)
    longest = max(load.outcome("none", shared_scene.postgres.url).longest_seconds, *watch.seconds)
    return max(LONGEST_READ_SECONDS, TIMES_QUIET * longest)


@pytest.fixture
def watch(shared_scene: Scene, allowed_seconds: float) -> Iterator[EntityWatch]:
    """Give the watch of a new caller; Redis is whole again afterwards."""
    yield new_watch(shared_scene)
    shared_scene.redis.thaw()
    snapshot_file(shared_scene).unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("fault", "begin", "end"),
    [
        ("killed", kill, start_again),
        ("frozen", freeze, thaw),
        ("wiped", wipe, do_nothing),
        ("out of memory", fill_up, make_room),
        ("full of garbage", spoil, do_nothing),
        ("an older copy of itself", kill_with_snapshot, start_older),
    ],
)
def test_broken_redis_is_never_noticed(
    shared_scene: Scene,
    watch: EntityWatch,
    allowed_seconds: float,
    record_property: Record,
    fault: str,
    begin: Break,
    end: Break,
) -> None:
    with shared_scene.load() as load, watch:
        load.hold(QUIET_SECONDS)
        load.begin_fault()
        begun_at = time.monotonic()
        begin(shared_scene)
        load.hold(max(0.0, begun_at + FAULT_SECONDS - time.monotonic()))
        end(shared_scene)
        load.end_fault()
        used_after = seconds_until_used(shared_scene)
        load.hold(max(0.0, AFTER_SECONDS - used_after))
    outcome = load.outcome(f"Redis {fault}", shared_scene.postgres.url)
    longest = max(watch.seconds)
    record_property(
        "fault", f"{outcome.row} | {longest:.2f} s entities | {used_after:.2f} s unused"
    )
    assert outcome.verdict.is_clean
    assert not outcome.failures
    assert watch.wrong == []
    assert len(watch.seconds) > 100
    assert max(longest, outcome.longest_seconds) < allowed_seconds
    assert used_after <= USED_AGAIN_SECONDS


def seconds_until_used(scene: Scene) -> float:
    """Return how soon a gateway reads entries again."""
    began_at = time.monotonic()
    before = reads(scene)
    while reads(scene) <= before and time.monotonic() < began_at + 10:
        time.sleep(0.02)
    return time.monotonic() - began_at


def reads(scene: Scene) -> int:
    """Return how many reads of entries Redis has answered since it started."""
    found = client(scene).info("commandstats").get("cmdstat_mget", {})
    return int(found.get("calls", 0))
