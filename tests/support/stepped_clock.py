"""The wall clock of one gateway, which a test sets while it runs; no other clock is moved.

Debian's faketime would reach further, but with its monotonic clock left alone `time.sleep` fails.
"""

import os
from collections.abc import Mapping
from pathlib import Path

PLACE = Path(__file__).parent / "stepped_process"


class SteppedClock:
    """A file that says how far the clock is off."""

    def __init__(self, file: Path) -> None:
        """Begin with the right time."""
        self._file = file
        self.step(days=0)

    def step(self, *, days: int) -> None:
        """Let the clock be so many days ahead of the right time."""
        draft = self._file.with_suffix(".new")
        draft.write_text(str(days * 86_400))
        os.replace(draft, self._file)

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of a process that has this clock."""
        return {"PYTHONPATH": str(PLACE), "STEPPED_CLOCK": str(self._file)}
