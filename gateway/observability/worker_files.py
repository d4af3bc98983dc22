"""Files in which workers keep their numbers, so that whichever is asked can add all of them up.

What workers that ended left goes into an archive, so that totals never fall and files do not pile
up; a killed worker's file is as good as any. Two kinds lie in one directory: prometheus_client's
own, and `Numbers`, whose increments cost a tenth of theirs.
"""

import fcntl
import mmap
import os
import struct
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from core.domain.counters import Counters
from gateway.observability.worker_pids import lives, pid_of

LOCK = "lock"
ARCHIVE = "archive"
ITEM_BYTES = 8


class Numbers:
    """Whole numbers of every worker: first counters, which outlive their worker, then levels.

    `layout` tells apart what programs of different versions keep in one directory: after a reload
    of new code the old numbers mean something else.
    """

    def __init__(self, directory: Path | None, *, counters: int, size: int, layout: str) -> None:
        """Begin at 0; without a directory the process is alone."""
        self._directory = directory
        self._counters = counters
        self._size = size
        self._name = f"numbers-{layout}"
        self.own: Counters = [0] * size if directory is None else self._mapped(os.getpid())

    def _mapped(self, name: object) -> Counters:
        """Return the numbers in a file, made if it is missing; a write is in the file at once."""
        assert self._directory is not None
        length = self._size * ITEM_BYTES
        path = self._directory / f"{self._name}_{name}.bin"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, length)
            return memoryview(mmap.mmap(descriptor, length)).cast("q")
        finally:
            os.close(descriptor)

    def of_workers(self) -> list[Sequence[int]]:
        """Return the numbers of each worker that lives."""
        if self._directory is None:
            return [self._own_now()]
        files = self._directory.glob(f"{self._name}_*.bin")
        return [self._read(file) for file in files if pid_of(file) is not None]

    def _own_now(self) -> Sequence[int]:
        return [self.own[place] for place in range(self._size)]

    def archived(self) -> Sequence[int]:
        """Return the sums of the counters of all workers that ended, with levels of 0."""
        if self._directory is None:
            return [0] * self._size
        return self._read(self._directory / f"{self._name}_{ARCHIVE}.bin")

    def _read(self, file: Path) -> Sequence[int]:
        numbers = array("q", bytes(self._size * ITEM_BYTES))
        with suppress(FileNotFoundError):
            found = array("q", file.read_bytes())
            numbers[: len(found)] = found
        return numbers

    def archive(self) -> None:
        """Add the counters of workers that ended to the archive; the directory is locked."""
        assert self._directory is not None
        for file in self._directory.glob(f"{self._name}_*.bin"):
            pid = pid_of(file)
            if pid is not None and not lives(pid):
                total = self._mapped(ARCHIVE)
                for place, number in enumerate(self._read(file)[: self._counters]):
                    total[place] += number
                file.unlink()


def archive_database_files(directory: Path) -> None:
    """Add what prometheus_client's counters of workers that ended hold to an archive."""
    for file in directory.glob("*.db"):
        kind, _, _ = file.stem.partition("_")
        pid = pid_of(file)
        if pid is not None and not lives(pid):
            _add(file, to=directory / f"{kind}_{ARCHIVE}.db")
            file.unlink()


def _add(left: Path, *, to: Path) -> None:
    total = MmapedDict(str(to))
    # A worker that was killed while it made its file leaves one that cannot be read to the end.
    with suppress(RuntimeError, struct.error):
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(left)):
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
    total.close()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes from changing the files meanwhile."""
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
