"""What is measured, by name; each experiment records its numbers in the bench."""

from collections.abc import Callable, Mapping

from deploy.bench import (
    cluster,
    cpu,
    equivalence,
    growth,
    hits,
    hostile,
    limits,
    scale,
    workload,
    writes,
)
from deploy.bench.bench import Bench

OURS = ("uncached", "cached", "no-caches")
GET_WARMUP_FACTOR = 3
"""Ids are drawn from all records, so it takes longer until the directory is in memory."""


def page_list(bench: Bench) -> None:
    """Deskera's list: random pages 1 to 20 of all tenants."""
    pages = workload.deskera_pages(bench.tenant_ids)
    equivalence.check_equivalence(bench, ("uncached", "cached", "no-caches", "usual"), pages)
    bench.compare("list", ("uncached", "cached", "no-caches", "usual", "floor"), pages)
    bench.stop("floor")


def get(bench: Bench) -> None:
    """AchieveApex's get: random ids of all there are."""
    ids = workload.apex_gets(bench.database(), bench.tenant_ids)
    equivalence.check_equivalence(bench, ("uncached", "usual", "feathers"), ids)
    bench.compare("get", ("uncached", "usual", "feathers"), ids, warmup_factor=GET_WARMUP_FACTOR)


def apex_list(bench: Bench) -> None:
    """AchieveApex's list of 10, plain and with fastJoin."""
    for row, fast_join in (("plain", False), ("fastjoin", True)):
        pages = workload.apex_pages(bench.tenant_ids, fast_join=fast_join)
        names = ("uncached", "cached", "feathers")
        equivalence.check_equivalence(bench, names, pages)
        bench.compare(row, names, pages)


def memory(bench: Bench) -> None:
    """The resident memory of our workers, after all the above."""
    for name, server in bench.running.items():
        if name in OURS:
            bench.record(f"memory.{name}", {"mib": server.worker_bytes() / 2**20})


EXPERIMENTS: Mapping[str, Callable[[Bench], None]] = {
    "list": page_list,
    "get": get,
    "apex": apex_list,
    "hits": hits.measure,
    "writes": writes.measure,
    "import": hits.measure_import,
    "memory": memory,
    "hostile": hostile.measure,
    "cpu": cpu.measure,
    "limits": limits.measure,
    "growth": growth.measure,
}
"""In this order: writes make the data differ from the peers', growth takes the machine's memory."""


def past_one_machine(bench: Bench) -> None:
    """What a deployment grows by: a tenant's rows, and the servers that have them."""
    scale.measure(bench)
    cluster.measure(bench)


LONG_EXPERIMENTS: Mapping[str, Callable[[Bench], None]] = {"scale": past_one_machine}
"""Run only where they are named: each may take the time of a whole run."""
