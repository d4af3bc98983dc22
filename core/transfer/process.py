"""Import and export in a process of their own, which ends with the one that began it.

Reading a large file takes a processor for minutes, which the requests of a worker should not share.
What to do comes as one line of JSON on standard input; that stays open for as long as there is
somebody to do it for. An export goes to standard output, an import comes from a file that is open.
"""

import os
import sys
from collections.abc import Mapping
from threading import Thread
from typing import Any

import orjson

from core.domain.errors import CoreError
from core.storage.database import Database, allow
from core.storage.import_jobs import ImportBroken
from core.transfer.background import switch_threads_early
from core.transfer.exporter import export_lines
from core.transfer.import_runs import run_import

NICENESS = 10
BUFFER_BYTES = 2**16
ENDED_WITHOUT_PARENT = 3


def main() -> None:
    """Do what standard input says."""
    os.nice(NICENESS)  # Requests come first.
    task = orjson.loads(_read_line())
    Thread(target=_end_with_parent, daemon=True).start()
    database = Database(task["database_url"], pool_size=2, row_security=task["row_security"])
    allow((task["tenant_id"],))
    try:
        if task["job_id"] is None:
            _export(database, task)
        else:
            switch_threads_early()
            with os.fdopen(task["file"], "rb") as file:
                run_import(database, task["tenant_id"], task["job_id"], file)
    except (CoreError, ImportBroken) as error:
        sys.exit(f"{type(error).__name__}: {error}")


def _export(database: Database, task: Mapping[str, Any]) -> None:
    with open(sys.stdout.fileno(), "wb", BUFFER_BYTES, closefd=False) as output:
        output.writelines(export_lines(database, tenant_id=task["tenant_id"]))


def _read_line() -> bytes:
    """Return the first line of standard input, read without a buffer that a thread would lock."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(sys.stdin.fileno(), BUFFER_BYTES)
        if not piece:
            sys.exit(ENDED_WITHOUT_PARENT)
        line += piece
    return line


def _end_with_parent() -> None:
    """End at once, in the middle of whatever is done, when nobody waits for it any more."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ENDED_WITHOUT_PARENT)


if __name__ == "__main__":
    main()
