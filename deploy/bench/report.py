"""What must be reached, and the table that says whether it was."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Numbers = Mapping[str, float]


class Requirement(NamedTuple):
    """One ratio: `over` / `under`, or `over` alone, against a bound; None asks for nothing."""

    work: str
    measure: str
    over: str
    under: str | None
    bound: float | None
    at_least: bool = True

    def value(self, numbers: Numbers) -> float | None:
        """Return what was measured, or None if it was not."""
        over = numbers.get(self.over)
        under = 1.0 if self.under is None else numbers.get(self.under)
        return None if over is None or not under else over / under

    def is_reached(self, value: float | None) -> bool | None:
        """Return whether a value is on the right side of the bound; None without one of both."""
        if value is None or self.bound is None:
            return None
        return value >= self.bound if self.at_least else value <= self.bound


def _at_most(
    work: str, measure: str, over: str, under: str | None, bound: float | None = None
) -> Requirement:
    return Requirement(work, measure, over, under, bound, at_least=False)


PAGE = "Deskera page of 10"
REQUIREMENTS = (
    Requirement(
        f"{PAGE}, answers not kept", "x usual stack", "list.uncached.rps", "list.usual.rps", 19
    ),
    Requirement("", "of the floor", "list.uncached.rps", "list.floor.rps", 0.2),
    Requirement(f"{PAGE}, answers kept", "x usual stack", "list.cached.rps", "list.usual.rps", 50),
    Requirement("", "of the floor", "list.cached.rps", "list.floor.rps", 0.8),
    Requirement(
        f"{PAGE}, all caches off", "x usual stack", "list.no-caches.rps", "list.usual.rps", 2.5
    ),
    Requirement(
        "AchieveApex get, expanded", "x usual stack", "get.uncached.rps", "get.usual.rps", 7
    ),
    Requirement("", "x FeathersJS", "get.uncached.rps", "get.feathers.rps", 1.25),
    Requirement(
        "AchieveApex list of 10", "x FeathersJS", "plain.uncached.rps", "plain.feathers.rps", 3
    ),
    Requirement("", "kept, x FeathersJS", "plain.cached.rps", "plain.feathers.rps", 13),
    Requirement(
        "  with fastJoin", "x FeathersJS", "fastjoin.uncached.rps", "fastjoin.feathers.rps", 4
    ),
    Requirement(
        "Single read asked again", "x usual stack", "again.cached.rps", "again.usual.rps", 14
    ),
    Requirement("", "x FeathersJS", "again.cached.rps", "again.feathers.rps", 3.5),
    Requirement(
        "20 writes/s per tenant",
        "kept x not kept",
        "writes.cached.rps",
        "writes.uncached.rps",
        0.97,
    ),
    Requirement("", "not kept, of quiet", "writes.uncached.rps", "writes.quiet.rps", 0.6),
    _at_most("", "wrong answers, kept", "writes.cached.wrong", None, 0),
    _at_most("", "wrong answers, not kept", "writes.uncached.wrong", None, 0),
    _at_most(
        "One tenant, a hundred times larger",
        "first page, x slower",
        "growth-page.small.rps",
        "growth-page.large.rps",
        1.3,
    ),
    _at_most("", "get, x slower", "growth-get.small.rps", "growth-get.large.rps", 1.3),
    _at_most("", "total, x slower", "growth-total.small.rps", "growth-total.large.rps", 1.3),
    _at_most("", "page at 90 %, of OFFSET's", "deep.page_ms", "deep.plain_offset_ms", 0.15),
    _at_most(
        "p99 at 16 connections",
        "page, of usual's",
        "list.uncached.p99_ms",
        "list.usual.p99_ms",
        0.15,
    ),
    _at_most("", "page kept, ms", "list.cached.p99_ms", None, 3),
    _at_most("", "page kept, of usual's", "list.cached.p99_ms", "list.usual.p99_ms", 0.06),
    _at_most("", "get, of FeathersJS's", "get.uncached.p99_ms", "get.feathers.p99_ms", 1.1),
    _at_most("", "page, x its p50", "list.uncached.p99_ms", "list.uncached.p50_ms", 4),
    _at_most("", "page kept, x its p50", "list.cached.p99_ms", "list.cached.p50_ms", 4),
    _at_most("", "get, x its p50", "get.uncached.p99_ms", "get.uncached.p50_ms", 4),
    _at_most("CPU in process, a page", "of usual's", "cpu.uncached.us", "cpu.usual.us", 0.05),
    _at_most("", "cached, of usual's", "list.cached.cpu_us", "list.usual.cpu_us", 0.02),
    Requirement("Import", "records a second", "import.records_per_second", None, 20_000),
    _at_most("Memory of a worker", "MiB", "memory.uncached.mib", None, 150),
    _at_most("", "cached, MiB", "memory.cached.mib", None, 150),
    _at_most("Beside 500 hostile clients", "p99, x quiet", "hostile-worst.p99_of_quiet", None, 3),
    _at_most("", "errors", "hostile-worst.errors", None, 0),
    _at_most("", "memory, MiB more", "hostile-worst.grown_mib", None, 40),
    _at_most(
        "One tenant, a thousand times larger",
        "first page, x slower",
        "scale-page.small.rps",
        "scale-page.huge.rps",
        1.3,
    ),
    _at_most("", "get, x slower", "scale-get.small.rps", "scale-get.huge.rps", 1.3),
    _at_most("", "total, x slower", "scale-total.small.rps", "scale-total.huge.rps", 1.3),
    _at_most("", "create, x slower", "scale-create.huge.p50_ms", "scale-create.small.p50_ms", 1.3),
    _at_most("", "memory of a worker", "scale-memory.huge.mib", "scale-memory.small.mib", 1.1),
    *(
        _at_most(
            "", f"{shown}, {when}, x slower", f"{row}.huge.{when}_ms", f"{row}.small.{when}_ms"
        )
        for row, shown in (
            ("scale-assignee", "page of an assignee"),
            ("scale-search", "rare name"),
            ("scale-frequent", "frequent name"),
            ("scale-deep", "page at 90 %"),
        )
        for when in ("first", "again")
    ),
    Requirement(
        "Import of a million", "records a second", "scale-import.records_per_second", None, 20_000
    ),
    *(
        _at_most(
            "Citus, of one server's" if (kind, key) == ("page", "p50") else "",
            f"{kind}, {key}",
            f"hop-{kind}.citus.{key}_ms",
            f"hop-{kind}.single.{key}_ms",
        )
        for kind in ("page", "get", "create")
        for key in ("p50", "p99")
    ),
    Requirement(
        "",
        "import, records a second",
        "hop-import.citus.per_second",
        "hop-import.single.per_second",
        None,
    ),
)


def rows(numbers: Numbers) -> list[dict[str, object]]:
    """Return every requirement with what was measured, for JSON; None where nothing was."""
    found: list[dict[str, object]] = []
    work = ""
    for requirement in REQUIREMENTS:
        work = requirement.work or work
        value = requirement.value(numbers)
        found.append(
            {
                "work": work.strip(),
                "measure": requirement.measure,
                "value": value,
                "required": requirement.bound,
                "at_least": requirement.at_least,
                "reached": requirement.is_reached(value),
            }
        )
    return found


def ratios(numbers: Numbers) -> str:
    """Return the table of requirements as text."""
    lines = [("work", "measure", "measured", "required", "")]
    for requirement in REQUIREMENTS:
        value = requirement.value(numbers)
        sign = ">=" if requirement.at_least else "<="
        verdict = "not measured"
        if value is not None and requirement.bound is None:
            verdict = ""
        elif value is not None:
            verdict = "reached" if requirement.is_reached(value) else "MISSED"
        shown = "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"
        required = "" if requirement.bound is None else f"{sign} {requirement.bound:g}"
        line = (requirement.work, requirement.measure, shown, required)
        lines.append((*line, verdict))
    return _aligned(lines)


def loads(numbers: Numbers) -> str:
    """Return the loads behind the ratios as text: one line a row and server."""
    lines: list[Sequence[str]] = [("load", "rps", "p50 ms", "p99 ms", "cpu us", "client", "errors")]
    for key in numbers:
        name, _, measure = key.rpartition(".")
        if measure == "rps":
            line = [f"{numbers[f'{name}.{column}']:.1f}" for column in ("rps", "p50_ms", "p99_ms")]
            line.append(f"{numbers[f'{name}.cpu_us']:.0f}")
            line.append(f"{numbers[f'{name}.client_share']:.2f}")
            lines.append((name, *line, f"{numbers[f'{name}.errors']:.0f}"))
    return _aligned(lines)


def others(numbers: Numbers) -> str:
    """Return what is neither a load nor in it."""
    loaded = {key.rpartition(".")[0] for key in numbers if key.endswith(".rps")}
    kept = [key for key in numbers if key.rpartition(".")[0] not in loaded]
    return _aligned([("number", "value"), *((key, f"{numbers[key]:,.1f}") for key in kept)])


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
