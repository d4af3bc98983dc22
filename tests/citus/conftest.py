"""What tests of a cluster share; without one they are not collected."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.citus import CLUSTER_URL, ClusterDatabase, own_database

HAS_CLUSTER = CLUSTER_URL in os.environ


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what needs a cluster where there is none, and else what would start another.

    None leaves the decision to others.
    """
    name = collection_path.name
    is_left_out = name == "test_cluster.py" if HAS_CLUSTER else name.startswith("test_on_")
    return is_left_out or None


@pytest.fixture
def unjoined_database() -> Iterator[ClusterDatabase]:
    """Give a database of the cluster without any table, of which Citus does not know yet."""
    with own_database(os.environ[CLUSTER_URL], f"crm_unjoined_{os.getpid()}") as database:
        yield database
