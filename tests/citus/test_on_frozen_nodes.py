"""A crowd of a frozen node's tenants, beside clients of tenants that another node has."""

import time
from collections import defaultdict
from pathlib import Path

from flask import Flask
from support.cluster_nodes import Place, WorkerNode, place_of
from support.gateway_process import served
from support.open_load import Answer, OpenLoad, get, post

from core.domain.model import Tenant
from core.storage.database import Database
from core.storage.tenant_store import Tenants

TENANTS = range(6_000_001, 6_000_041)
LIST = "/v1/crm/activities"
PAGE = f"{LIST}?page=1&pageSize=10"
CROWD_PER_SECOND, OTHERS_PER_SECOND = 200, 40
QUIET_SECONDS, FROZEN_SECONDS, RECOVERY_SECONDS = 4, 6, 6
KNOWN_SECONDS = 4
"""Within so long a frozen node is known on a busy machine too, and holds nobody up any longer."""
PROMPT_SECONDS = 1


def between(answers: list[Answer], first: float, last: float) -> list[Answer]:
    """Return the answers of what was sent between two moments."""
    return [answer for answer in answers if first <= answer.sent_at <= last]


def test_crowd_of_a_frozen_node_stops_nobody_else(
    app: Flask, database: Database, database_url: str, tmp_path: Path
):
    """Each of the two loads comes from many tenants, whom no limit of a credential binds."""
    requests: dict[int, list[bytes]] = defaultdict(list)
    places: dict[int, Place] = {}
    for tenant_id in TENANTS:
        Tenants(database).create(Tenant(tenant_id, f"Tenant {tenant_id}", "UTC", "UTC"))
        place = place_of(database_url, tenant_id)
        places[place.port] = place
        key = app.extensions["credentials"].create(tenant_id=tenant_id, user_id=1)
        create = post(LIST, key, b'{"name": "Call", "notes": ""}')
        requests[place.port] += [*[get(PAGE, key)] * 3, create]
    lost, safe = requests
    environ = {"DATABASE_URL": database_url, "REDIS_URL": "none"}
    with served(environ, log=tmp_path / "log") as port:
        crowd = OpenLoad(port, requests[lost], per_second=CROWD_PER_SECOND)
        others = OpenLoad(port, requests[safe], per_second=OTHERS_PER_SECOND)
        crowd.start()
        others.start()
        time.sleep(QUIET_SECONDS)
        with WorkerNode(database_url, places[lost]).frozen():
            frozen_at = time.monotonic()
            time.sleep(FROZEN_SECONDS)
            thawed_at = time.monotonic()
        time.sleep(RECOVERY_SECONDS)
        refused, answered = crowd.end(), others.end()
    assert {answer.status for answer in answered} == {200, 201}
    meanwhile = between(answered, frozen_at, thawed_at)
    assert max(answer.seconds for answer in meanwhile) <= KNOWN_SECONDS
    known = between(answered, frozen_at + KNOWN_SECONDS, thawed_at)
    assert max(answer.seconds for answer in known) <= PROMPT_SECONDS
    known = between(refused, frozen_at + KNOWN_SECONDS, thawed_at - PROMPT_SECONDS)
    assert {answer.status for answer in known} == {503}
    assert max(answer.seconds for answer in known) <= PROMPT_SECONDS
    back = between(refused, thawed_at + KNOWN_SECONDS, float("inf"))
    assert {answer.status for answer in back} == {200, 201}
