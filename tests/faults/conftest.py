"""Scenes of a test's own, and the table of what all tests found."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import fault_scene
from support.fault_load import COLUMNS
from support.fault_scene import Scene
from support.own_servers import server_directory


@contextmanager
def _scene(logs: Path) -> Iterator[Scene]:
    with server_directory() as directory, fault_scene.scene(directory, logs) as made:
        yield made


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Give two gateways of one worker each, with a PostgreSQL and a Redis of their own."""
    with _scene(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Give a scene that the tests of a module break one after the other, and leave whole."""
    with _scene(tmp_path_factory.mktemp("scene")) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what `record_property("fault", outcome.row)` left."""
    reports = [
        report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])
    ]
    rows = [
        str(text)
        for report in reports
        for name, text in getattr(report, "user_properties", ())
        if name == "fault"
    ]
    if rows:
        terminalreporter.section("faults")
        for row in (COLUMNS, *sorted(set(rows))):
            terminalreporter.write_line(row)
