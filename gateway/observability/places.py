"""Where the numbers of a worker stand: after the core's counters the gateway's own, then levels.

Without prometheus_client: that looks for the workers' directory when it is first imported, and a
master, which imports this, does not know it yet.
"""

from core.domain import counters as core

(
    LOG_LINES_DROPPED,
    CONNECTIONS_OPENED,
    CLOSED_SILENT,
    CLOSED_UNREAD,
    CLOSED_FULL,
    CLOSED_MEMORY,
    CLOSED_TLS,
    REQUESTS_REFUSED,
    REQUESTS_SHED,
) = range(core.SIZE, core.SIZE + 9)
COUNTERS = REQUESTS_SHED + 1

(
    REQUESTS_IN_FLIGHT,
    CONNECTIONS_IDLE,
    CONNECTIONS_READING,
    CONNECTIONS_WAITING,
    CONNECTIONS_WRITING,
    POOL_OPEN,
    POOL_IN_USE,
    RESPONSE_BYTES,
    RESPONSE_ENTRIES,
    ENTITY_ENTRIES,
    COUNT_ENTRIES,
    CHECK_AGE_MILLISECONDS,
) = range(COUNTERS, COUNTERS + 12)
SIZE = CHECK_AGE_MILLISECONDS + 1
