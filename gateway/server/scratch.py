"""A directory in memory for as long as one service runs, of which nothing is left behind for ever.

gunicorn's heartbeats and the workers' metrics are kept in it. A master that is killed cannot
remove its own; the next one does: whoever lives holds a lock in its directory.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
PREFIX = "crm-gateway-scratch-"
LOCK = "alive"


def make_scratch(parent: Path | None = None) -> Path:
    """Return a new directory, locked until this process and all forked from it have ended.

    Directories that nobody holds any more are removed. `parent` is the shared memory where there
    is one, else the system's directory for temporary files.
    """
    parent = scratch_parent() if parent is None else parent
    for left in parent.glob(f"{PREFIX}*"):
        _remove_if_left(left)
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    unnamed = directory / "lock.new"  # Named when it is locked: nobody finds it in between.
    lock = os.open(unnamed, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(directory / LOCK)
    return directory


def scratch_parent() -> Path:
    """Return where such directories are made: in shared memory, if there is any."""
    has_memory = os.access(SHARED_MEMORY, os.W_OK)
    return SHARED_MEMORY if has_memory else Path(tempfile.gettempdir())


def _remove_if_left(directory: Path) -> None:
    """Remove a directory whose lock can be had; others are in use, just made, or not ours."""
    with suppress(OSError):
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory)
        finally:
            os.close(lock)
