"""A plugin of pytest for runs on a cluster: which tests are about it.

Those that use the run's database are; what reaches none, or starts servers of its own, is the same
wherever it runs. A test marked `one_server` is skipped, with the reason that the mark gives.
"""

from pathlib import Path

import pytest

MARK = "one_server(reason): what a cluster cannot be asked"
ITS_OWN = Path(__file__).parents[1] / "citus"


class ClusterTests:
    """Leaves out the tests that are not about the cluster."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Function]
    ) -> None:
        """Deselect what does not reach the cluster, skip what cannot pass there."""
        left_out = [item for item in items if not reaches_cluster(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if reaches_cluster(item)]
        for item in items:
            for mark in item.iter_markers("one_server"):
                item.add_marker(pytest.mark.skip(reason=mark.args[0]))


def reaches_cluster(item: pytest.Function) -> bool:
    """Return whether a test uses the database of the run, or one of its own on the cluster."""
    return "database_url" in item.fixturenames or ITS_OWN in item.path.parents
