"""FileWork: reads and writes of files, which may wait for a disk, off the event loop."""

from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")
THREADS = 6
"""More than there may be long bodies at a time, so that none waits for another one's disk."""


class FileWork:
    """Does one step at a time for whoever asks, each in a thread of its own kind."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        """Start no thread yet."""
        self._loop = loop
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="files")

    def run(self, work: Callable[[], Result], then: Callable[[Result | None], None]) -> None:
        """Call `work` in a thread, and then `then` on the loop: with None where it failed."""

        def finish(done: "Future[Result]") -> None:
            then(None if done.cancelled() or done.exception() else done.result())

        self._loop.run_in_executor(self._threads, work).add_done_callback(finish)
