"""crm-gateway status: what a running gateway says of its health."""

import sys
import urllib.error
import urllib.request
from typing import Any

import click
import orjson
from rich.console import Console
from rich.text import Text

from gateway.observability.health import FAIL, PASS, WARN

TIMEOUT_SECONDS = 5
NO_HEALTH = "tells nothing of its health: with GATEWAY_OPS_PORT that port does, and no other"
COLOURS = {PASS: "green", WARN: "yellow", FAIL: "red"}


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Of the gateway.")
def status(url: str) -> None:
    """Show what /health/ready and /version of a running gateway say.

    Exit status 0 while it can serve, 1 if it cannot or does not answer.
    """
    base = url.rstrip("/")
    try:
        ready, version = _fetch(f"{base}/health/ready"), _fetch(f"{base}/version")
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{url} does not answer: {error}") from error
    if ready.get("status") not in COLOURS:
        raise click.ClickException(f"{url} {NO_HEALTH}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        Text(f"{ready['status']:<4}", COLOURS[ready["status"]]),
        f"{version['name']} {version['version']}, Python {version['python']}",
    )
    for server, (check,) in ready["checks"].items():
        console.print(_line(server, check))
    sys.exit(1 if ready["status"] == FAIL else 0)


def _line(server: str, check: dict[str, Any]) -> Text:
    line = Text(f"{check['status']:<4}", COLOURS[check["status"]])
    told = check.get("output") or f"answered in {check['latency_ms']} ms"
    seconds = check["age_ms"] / 1000
    return line.append(f" {server}: {told}, {seconds:.1f} s ago", "default")


def _fetch(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read()
    except urllib.error.HTTPError as error:
        content = error.read()  # 503 has a body too: what is wrong.
    body = orjson.loads(content)
    return body if isinstance(body, dict) else {}
