"""Incidents: the last requests that failed or were slow, of all workers, for people who look.

Each worker keeps them in a file of fixed size beside its metrics, so that whichever is asked finds
those of all, and of those that were killed. What is kept of a request is its line of the log.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count
from mmap import mmap
from pathlib import Path
from typing import Any

import orjson

from core.domain.model import Principal
from gateway.observability.worker_pids import lives, pid_of

SLOW_SECONDS = 1.0
CLIENT_ERROR, SERVER_ERROR = 400, 500
ERROR, SLOW, REFUSED = "error", "slow", "refused"
KINDS = (ERROR, SLOW, REFUSED)
SLOTS = {ERROR: 128, SLOW: 64, REFUSED: 64}
"""How many of each kind a worker keeps: those that clients cause crowd out no other."""

SLOT_BYTES = 2048
MAX_LEFT_FILES = 32
PREFIX, SUFFIX = "incidents_", ".bin"


class Incidents:
    """The rings of this worker, and the reading of all."""

    def __init__(self, directory: Path | None) -> None:
        """Begin empty; without a directory the process is alone."""
        self._directory = directory
        size = sum(SLOTS.values()) * SLOT_BYTES
        self._own: mmap | bytearray = bytearray(size)
        if directory is not None:
            _make_room(directory)
            self._own = _mapped(directory / f"{PREFIX}{os.getpid()}{SUFFIX}", size)
        self._places = {kind: count() for kind in KINDS}

    def note(self, line: Mapping[str, Any], principal: Principal | None, seconds: float) -> None:
        """Keep the line of a request, if it is an incident. A line that is too long is not kept."""
        kind = kind_of(line["status"], seconds)
        if kind is None:
            return
        tenants = principal.tenant_ids if principal else ()
        text = orjson.dumps({**line, "kind": kind, "tenants": tenants})
        if len(text) < SLOT_BYTES:
            start = _start(kind) + next(self._places[kind]) % SLOTS[kind] * SLOT_BYTES
            self._own[start : start + SLOT_BYTES] = text.ljust(SLOT_BYTES, b"\0")

    def all(self) -> list[dict[str, Any]]:
        """Return every incident of every worker, newest first."""
        found = [incident for ring in self._rings() for incident in _incidents_in(ring)]
        return sorted(found, key=lambda incident: str(incident["timestamp"]), reverse=True)

    def _rings(self) -> Iterator[bytes]:
        if self._directory is None:
            yield bytes(self._own)
            return
        for file in self._directory.glob(f"{PREFIX}*{SUFFIX}"):
            with suppress(FileNotFoundError):
                yield file.read_bytes()


def kind_of(status: int, seconds: float) -> str | None:
    """Return which incident a request is, or None."""
    if status >= SERVER_ERROR:
        return ERROR
    if seconds >= SLOW_SECONDS:
        return SLOW
    return REFUSED if status >= CLIENT_ERROR else None


def _start(kind: str) -> int:
    before = KINDS[: KINDS.index(kind)]
    return sum(SLOTS[name] for name in before) * SLOT_BYTES


def _incidents_in(ring: bytes) -> Iterator[dict[str, Any]]:
    for start in range(0, len(ring), SLOT_BYTES):
        text = ring[start : start + SLOT_BYTES].rstrip(b"\0")
        if text:
            with suppress(orjson.JSONDecodeError):  # It is being written just now.
                incident = orjson.loads(text)
                yield {**incident, "timestamp": datetime.fromisoformat(incident["timestamp"])}


def _mapped(path: Path, size: int) -> mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
        return mmap(descriptor, size)
    finally:
        os.close(descriptor)


def _make_room(directory: Path) -> None:
    """Remove the oldest files of workers that ended, so that restarts do not pile them up."""
    files = directory.glob(f"{PREFIX}*{SUFFIX}")
    left = [file for file in files if not lives(pid_of(file) or 0)]
    for file in sorted(left, key=_changed_at, reverse=True)[MAX_LEFT_FILES:]:
        file.unlink(missing_ok=True)


def _changed_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
