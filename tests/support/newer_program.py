"""A newer version of the program: this one, with migrations that this one does not know."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.gateway_process import ROOT

PACKAGES = ("adapters", "core", "gateway")
VERSIONS = Path("core/storage/migrations/versions")
MIGRATION = """
from alembic import op

revision, down_revision = {revision!r}, {before!r}


def upgrade() -> None:
    for statement in {statements!r}:
        op.execute(statement)
"""


@dataclass(frozen=True)
class NewerProgram:
    """Where it is, and the newest revision that it knows."""

    root: Path
    head: str

    @classmethod
    def make(cls, root: Path, *migrations: Sequence[str]) -> "NewerProgram":
        """Copy this program, and add a migration of each list of statements."""
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, root / package, ignore=ignored)
        before = newest_revision()
        for statements in migrations:
            revision = f"{int(before) + 1:04}"
            text = MIGRATION.format(revision=revision, before=before, statements=statements)
            (root / VERSIONS / f"{revision}_newer.py").write_text(text)
            before = revision
        return cls(root, before)

    def begin(self, environ: Mapping[str, str], *words: str) -> "subprocess.Popen[str]":
        """Start a command of it."""
        return begin(environ, *words, root=self.root)


def begin(
    environ: Mapping[str, str],
    *words: str,
    root: Path = ROOT,
    stdin: int = subprocess.DEVNULL,
) -> "subprocess.Popen[str]":
    """Start a command of this program, or of the one in another directory."""
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", *words],
        cwd=root,
        env={**os.environ, **environ},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def newest_revision() -> str:
    """Return the newest revision that this program knows."""
    return max(path.name for path in (ROOT / VERSIONS).glob("0*.py"))[:4]
