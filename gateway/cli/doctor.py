"""crm-gateway doctor: what is wrong with an installation, and what to do about it."""

import sys
from collections.abc import Iterator

import click
import orjson
from rich.console import Console
from rich.text import Text

from core.caching.redis_cache import RedisCache
from gateway.cli import findings
from gateway.cli.findings import Finding
from gateway.cli.session import connected, environment
from gateway.embedded.processes import EngineError
from gateway.observability.health import FAIL, PASS, WARN
from gateway.settings import Settings, SettingsError

COLOURS = {PASS: "green", WARN: "yellow", FAIL: "red"}
REDIS_DEADLINE_MS = 2000  # A look may take longer than a request may wait.


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
def doctor(as_json: bool) -> None:
    """Look at settings, servers, clock, disks and limits; say what to do.

    Exit status 1 if something is wrong, 0 if there are warnings at the most.
    """
    found = list(examine())
    worst = max((finding.status for finding in found), key=(PASS, WARN, FAIL).index)
    if as_json:
        body = {"status": worst, "findings": [finding._asdict() for finding in found]}
        click.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    else:
        show(found)
    sys.exit(1 if worst == FAIL else 0)


def examine() -> Iterator[Finding]:
    """Give every finding; faulty settings hide the rest."""
    try:
        given = environment()
    except SettingsError as error:
        yield Finding("settings", FAIL, str(error), "correct the variables; README.md has them all")
        return
    yield from findings.of_settings(given)
    yield from findings.of_machine(given)
    try:
        with connected(given) as (_, database):
            yield from findings.of_database(given, database)
    except EngineError as error:
        yield Finding("embedded servers", FAIL, str(error), "see what their log says")
    yield from findings.of_redis(given, _redis)


def _redis(settings: Settings) -> RedisCache:
    return RedisCache(
        str(settings.redis_url),
        deadline_ms=REDIS_DEADLINE_MS,
        is_cluster=settings.redis_cluster,
    )


def show(found: list[Finding]) -> None:
    """Print findings a line each, what to do below it."""
    console = Console(highlight=False, soft_wrap=True)
    for finding in found:
        line = Text(f"{finding.status:<5}", COLOURS[finding.status])
        line.append(f"{finding.check}: {finding.observed}", "default")
        console.print(line)
        if finding.action:
            console.print(Text(f"     -> {finding.action}", "bold"))
