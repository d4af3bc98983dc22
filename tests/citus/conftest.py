"""What tests of a cluster share; without one they are not collected."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.citus import CLUSTER_URL, ClusterDatabase, own_database


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what needs a cluster where there is none; None leaves it to others."""
    needs_cluster = collection_path.name.startswith("test_on_")
    return True if needs_cluster and not os.environ.get(CLUSTER_URL) else None


@pytest.fixture
def unjoined_database() -> Iterator[ClusterDatabase]:
    """Give a database of the cluster without any table, of which Citus does not know yet."""
    with own_database(os.environ[CLUSTER_URL], f"crm_unjoined_{os.getpid()}") as database:
        yield database
