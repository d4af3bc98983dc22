"""crm-gateway demo, import and export: data in and out."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from core.transfer.background import switch_threads_early
from core.transfer.demo import load_demo, reset_demo
from core.transfer.exporter import export_lines
from core.transfer.import_report import ImportReport, Tell
from core.transfer.importer import bounded_lines, import_lines
from core.transfer.ndjson import KINDS
from gateway.cli.options import ID
from gateway.cli.session import ready


@click.command()
@click.option(
    "--reset", "is_reset", is_flag=True, help="Bring its two tenants and its key back as new."
)
def demo(is_reset: bool) -> None:
    """Load the demo data; what is there, or ever was, stays as it is without --reset."""
    with ready() as (_, database):
        if is_reset:
            reset_demo(database)
        else:
            load_demo(database)


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--tenant", "tenant_id", type=ID, help="The tenant of every line.")
def import_file(file: BinaryIO, tenant_id: int | None) -> None:
    """Load tenants, directory entities and activities from NDJSON; - is standard input.

    All is written, replacing what is known under its id, or nothing if one line is bad.
    """
    begun = time.monotonic()
    switch_threads_early()
    with ready() as (_, database), _progress(file) as (lines, tell):
        report = import_lines(database, lines, tenant_id=tenant_id, tell=tell)
    _show(report, seconds=time.monotonic() - begun)


def _show(report: ImportReport, *, seconds: float) -> None:
    for line in report.bad_lines:
        click.echo(f"line {line.number}: {line.reason}", err=True)
    if report.bad_count:
        unshown = report.bad_count - len(report.bad_lines)
        also = f" ({unshown} of them not shown)" if unshown else ""
        raise click.ClickException(f"bad lines: {report.bad_count}{also}; nothing was imported")
    for kind in filter(report.counts.get, KINDS):
        created, replaced, unchanged = report.counts[kind]
        done = f"{created:,} created, {replaced:,} replaced, {unchanged:,} unchanged"
        click.echo(f"{kind}: {done}", err=True)
    click.echo(f"{report.records:,} records in {seconds:.1f} s", err=True)


@contextmanager
def _progress(file: BinaryIO) -> Iterator[tuple[Iterable[bytes], Tell | None]]:
    """Give the lines of a file and what is told of them; on a terminal show both as a bar."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield bounded_lines(file), None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        stages = _Stages(progress)

        def lines() -> Iterator[bytes]:
            size = os.fstat(file.fileno()).st_size  # 0: a pipe, of unknown length.
            done = 0
            for line in bounded_lines(file):
                yield line
                done += len(line)
                stages.show("Reading", done, size, decimal)

        yield lines(), stages.show


class _Stages:
    """One bar for each stage of an import: of bytes while it reads, then of records."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stage = ""
        self._task = TaskID(0)

    def show(
        self, stage: str, done: int, total: int, unit: Callable[[int], str] = "{:,}".format
    ) -> None:
        """Show how much of a stage is done; a total of 0 is unknown."""
        amount = f"{unit(done)} of {unit(total)}" if total else unit(done) * bool(done)
        if stage != self._stage:
            for task in self._progress.task_ids:
                self._progress.remove_task(task)
            self._stage = stage
            self._task = self._progress.add_task(stage, total=total or None, amount=amount)
            self._progress.refresh()
        self._progress.update(self._task, completed=done, amount=amount)


@click.command()
@click.option("--tenant", "tenant_id", type=ID, help="Only this tenant.")
def export(tenant_id: int | None) -> None:
    """Write everything, as one instant saw it, to standard output as NDJSON."""
    output = sys.stdout.buffer
    with ready() as (_, database):
        output.writelines(export_lines(database, tenant_id=tenant_id))
        output.flush()
