"""The commands that become gunicorn, without becoming it."""

import os

import click
import pytest

from gateway.cli import service

Become = tuple[list[str], dict[str, str]]


def stay_here(monkeypatch: pytest.MonkeyPatch) -> list[Become]:
    """Return the list of command lines and environments that this process would have become.

    The banner is shown at once, and ports are not looked at: others use this machine too.
    """
    seen: list[Become] = []
    monkeypatch.setattr(
        os, "execve", lambda _program, words, environ: seen.append((words, environ))
    )
    monkeypatch.setattr(os, "fork", lambda: 0)
    monkeypatch.setattr(service, "_announce", lambda _port, banner: click.echo(banner))
    monkeypatch.setattr(service, "_check_free", lambda *_: None)
    return seen
