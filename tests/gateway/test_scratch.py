"""Directories of services that were killed are removed by the next one, others never."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.gateway_process import ROOT

from gateway.server.scratch import LOCK, PREFIX, make_scratch

HOLDER = """
import sys, time
from pathlib import Path
from gateway.server.scratch import make_scratch
print(make_scratch(Path(sys.argv[1])), flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> "subprocess.Popen[str]":
    """Give a process that holds a directory of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_only_the_dead_are_cleared_away(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    assert holder.stdout is not None
    theirs = Path(holder.stdout.readline().strip())
    (theirs / "numbers.db").write_bytes(b"7")
    first = make_scratch(tmp_path)
    assert theirs.exists()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(10)
    holder.stdout.close()
    second = make_scratch(tmp_path)
    assert set(tmp_path.iterdir()) == {first, second}


def test_what_has_no_lock_stays(tmp_path: Path) -> None:
    just_made, foreign = tmp_path / f"{PREFIX}new", tmp_path / "other"
    for directory in (just_made, foreign):
        directory.mkdir()
    (foreign / LOCK).touch()
    make_scratch(tmp_path)
    assert just_made.exists()
    assert (foreign / LOCK).exists()
