"""Whose a worker's file is, and whether that worker still lives.

Apart from `worker_files`, because a master imports this: prometheus_client would count in memory,
and not in files, had a master imported it.
"""

import os
from pathlib import Path


def pid_of(file: Path) -> int | None:
    """Return the number of the process whose file it is."""
    pid = file.stem.rpartition("_")[2]
    return int(pid) if pid.isdigit() else None


def lives(pid: int) -> bool:
    """Return whether a process of this account has the number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # Another account's has the number by now.
        return False
    return True
