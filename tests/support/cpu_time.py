"""What something costs the processor, wherever the machine's other work puts it."""

import time
from collections.abc import Callable

ATTEMPTS = 3


def least_seconds(do: Callable[[], object]) -> float:
    """Return the least seconds of this thread's processor time that some attempts took."""

    def seconds() -> float:
        began = time.thread_time()
        do()
        return time.thread_time() - began

    return min(seconds() for _ in range(ATTEMPTS))
