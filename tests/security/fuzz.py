"""Byte-level fuzzing of all that reads bytes of strangers; `make fuzz` runs it, and no test does.

Each target has its share of the time, in a process of its own, because the fuzzer never returns.
What it finds new is added to `seeds/`, as far as it is small; the tests replay what is there.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

TESTS = Path(__file__).parents[1]
MOST_SEEDS = 60
LARGEST_SEED = 400
CRASHES = "crash-", "timeout-", "oom-"
SLOW_SECONDS = 10  # Beside other work a second is nothing.


def fuzz(name: str, corpus: Path, seconds: int) -> None:
    """Fuzz one target until its time is over; never returns."""
    atheris = import_module("atheris")
    sys.path[:0] = [str(TESTS), str(TESTS.parent)]
    with atheris.instrument_imports(include=["adapters", "core", "gateway"]):
        target = import_module("support.fuzz_targets").TARGETS[name]
    words = [f"-max_total_time={seconds}", f"-timeout={SLOW_SECONDS}", "-max_len=4096"]
    words += [f"-artifact_prefix={corpus.parent}/", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([name, *words, str(corpus)], target)
    atheris.Fuzz()


def keep(name: str, corpus: Path) -> int:
    """Add small inputs of a corpus, the shortest first, to those that are kept; return how many."""
    targets = import_module("support.fuzz_targets")
    kept = set(targets.read_seeds(name))
    found = {file.read_bytes() for file in corpus.iterdir()} - kept
    small = _in_order(one for one in found if len(one) <= LARGEST_SEED)
    added = small[: max(0, MOST_SEEDS - len(kept))]
    texts = [one.decode("latin-1") for one in _in_order(kept.union(added))]
    targets.SEEDS.mkdir(exist_ok=True)
    targets.seed_file(name).write_text(json.dumps(texts, indent=0) + "\n")
    return len(added)


def _in_order(found: Iterable[bytes]) -> list[bytes]:
    return sorted(found, key=lambda one: (len(one), one))


def run(names: list[str], seconds: int) -> int:
    """Fuzz targets one after the other; return how many broke, showing with which input."""
    broken = 0
    for name in names:
        with tempfile.TemporaryDirectory() as directory:
            corpus = Path(directory) / "corpus"
            corpus.mkdir()
            for number, seed in enumerate(import_module("support.fuzz_targets").read_seeds(name)):
                (corpus / str(number)).write_bytes(seed)
            words = [sys.executable, __file__, name, "--seconds", str(seconds), "--in", str(corpus)]
            finished = subprocess.run(words, capture_output=True, text=True, check=False)
            found = [file for file in Path(directory).iterdir() if file.name.startswith(CRASHES)]
            runs = [line for line in finished.stderr.splitlines() if "executed_units" in line]
            added = keep(name, corpus)
            print(f"{name}: {''.join(runs) or 'no figures'}; {added} new seeds", flush=True)
            if finished.returncode or found:
                broken += 1
                print(finished.stderr[-4000:], *(file.read_bytes() for file in found), sep="\n")
    return broken


def main() -> int:
    """Fuzz what the command line names, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--in", dest="corpus", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if find_spec("atheris") is None:
        print("Nothing is fuzzed: atheris is not installed, for want of a wheel for this Python.")
        return 0
    if given.corpus is not None:
        fuzz(given.targets[0], given.corpus, given.seconds)
    sys.path[:0] = [str(TESTS), str(TESTS.parent)]
    names = given.targets or list(import_module("support.fuzz_targets").TARGETS)
    return min(run(names, given.seconds), 1)


if __name__ == "__main__":
    sys.exit(main())
