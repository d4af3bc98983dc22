"""`python -m deploy.bench`: run the experiments, print the tables, write the numbers."""

import argparse
import json
import os
import platform
import signal
import sys
from pathlib import Path

from deploy.bench import load, report
from deploy.bench.bench import QUICK, STANDARD, Bench, Plan
from deploy.bench.experiments import EXPERIMENTS


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.bench", description=__doc__)
    names = ",".join(EXPERIMENTS)
    parser.add_argument("--only", default=names, help=f"which experiments: some of {names}")
    parser.add_argument("--quick", action="store_true", help="a smoke run of less than a minute")
    parser.add_argument("--rounds", type=int, help="rounds of each load (3)")
    parser.add_argument("--seconds", type=float, help="seconds of each round (4)")
    parser.add_argument("--json", type=Path, help="where the numbers are written")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else STANDARD
    chosen = {"rounds": options.rounds, "seconds": options.seconds}
    return plan._replace(**{name: value for name, value in chosen.items() if value})


def main() -> None:
    """Run the experiments that the command line names."""
    options = _options()
    chosen = options.only.split(",")
    unknown = set(chosen) - EXPERIMENTS.keys()
    if unknown:
        raise SystemExit(f"There is no experiment {', '.join(sorted(unknown))}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # So that nothing is left running.
    with Bench(_plan(options)) as bench:
        try:
            _run(bench, chosen)
        finally:  # What was measured before something failed is shown all the same.
            _show(bench)
            if options.json:
                options.json.write_text(json.dumps(_document(bench), indent=2) + "\n")


def _run(bench: Bench, chosen: list[str]) -> None:
    for name, experiment in EXPERIMENTS.items():
        if name not in chosen:
            continue
        if bench.seconds_left() <= 0:
            bench.notes.append(f"{name} is left out: the time is over")
            continue
        experiment(bench)


def _show(bench: Bench) -> None:
    parts = [report.loads(bench.numbers), report.others(bench.numbers)]
    parts += [report.ratios(bench.numbers), *(f"Note: {note}" for note in bench.notes)]
    sys.stdout.write("\n\n".join(parts) + "\n")


def _document(bench: Bench) -> dict[str, object]:
    return {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "load_tool": load.tool(),
        "plan": bench.plan._asdict(),
        "rows": report.rows(bench.numbers),
        "numbers": bench.numbers,
        "notes": bench.notes,
    }


if __name__ == "__main__":
    main()
