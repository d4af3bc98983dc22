"""A file system of a few megabytes, which a test may fill up."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_BYTES = 12 * 2**20
BLOCK = bytes(2**12)


class ShortDisk:
    """A small file system in memory; `reason` says why there is none."""

    def __init__(self, place: Path, neighbour: Path) -> None:
        """Mount it, which only root may do, and not in every container."""
        self.place = place
        place.mkdir()
        owner = neighbour.stat()
        options = f"size={SIZE_BYTES},mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        finished = subprocess.run(words, capture_output=True, text=True, check=False)
        self.reason = finished.stderr.strip()

    @property
    def _ballast(self) -> Path:
        return self.place / "ballast"

    def fill_up(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(BLOCK)
            except OSError:
                os.fsync(file.fileno())

    def make_room(self) -> None:
        """Give the room back."""
        self._ballast.unlink()

    def end(self) -> None:
        """Unmount it."""
        if not self.reason:
            subprocess.run(["umount", "--lazy", str(self.place)], check=True)


@contextmanager
def short_disk(place: Path, *, neighbour: Path) -> Iterator[ShortDisk]:
    """Give a small file system at a path that is not there yet, for the owner of another path."""
    made = ShortDisk(place, neighbour)
    try:
        yield made
    finally:
        made.end()
