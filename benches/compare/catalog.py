#!/usr/bin/env python3
"""Measures how long reading the catalog of a large database takes, against `pg_dump --schema-only`.

    catalog.py [--keep DIR] [--tables 10000] [--rounds 7] [--opskit PATH] [--markdown FILE]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import manytables
from compare import our_binary, pg_bin
from measure import ChildFailed, Sample, measure
from report import MIB, Bar, Line
from server import Server, ServerError

FEWEST_ROUNDS = 7
TABLES = 10_000
PG_DUMP, MODEL, FACTS = "pg_dump -s", "opskit schema dump", "opskit schema snapshot"
# What our time may be of pg_dump's.
BARS = {MODEL: 1 / 3, FACTS: 1.0}
PEAK_BAR_MIB = 300


def main() -> int:
    options = arguments()
    home = options.keep or Path(tempfile.mkdtemp(prefix="opskit-bench-", dir=os.environ.get("OPSKIT_BENCH_DIR", "/var/tmp")))
    try:
        opskit = our_binary(options)
        server = Server(home, pg_bin(options))
        server.create()
        started = server.start()
        try:
            manytables.load(server, options.tables)
            return compare(server, opskit, options)
        finally:
            if started:
                server.stop()
    except (ServerError, ChildFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 70
    finally:
        if not options.keep:
            shutil.rmtree(home, ignore_errors=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="directory of the loaded server")
    parser.add_argument("--pg-bin", type=Path, help="directory of initdb, pg_ctl, psql, pg_dump")
    parser.add_argument("--tables", type=int, default=TABLES)
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS)
    parser.add_argument("--opskit", type=Path, help="our binary (default: target/release/opskit)")
    parser.add_argument("--markdown", type=Path, help="where the table goes")
    return parser.parse_args()


def compare(server: Server, opskit: Path, options: argparse.Namespace) -> int:
    url = server.url_of(manytables.DATABASE)
    field = {
        PG_DUMP: [str(server.pg_bin / "pg_dump"), "--schema-only", "--dbname", url],
        MODEL: [str(opskit), "schema", "dump", "--db", url],
        FACTS: [str(opskit), "schema", "snapshot", "--db", url],
    }
    samples: dict[str, list[Sample]] = {name: [] for name in field}
    with tempfile.TemporaryDirectory(prefix="out-", dir=server.home) as folder:
        log = Path(folder) / "log"
        for argv in field.values():
            measure(argv, {}, log)
        for number in range(options.rounds):
            names = list(field)
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                samples[name].append(measure(field[name], {}, log))
                print(f"{number + 1}: {name}: {samples[name][-1].wall_seconds:.2f} s", file=sys.stderr, flush=True)
    lines = {name: Line.of(name, runs, 0) for name, runs in samples.items()}
    text, verdicts = markdown(lines, options), bars(lines)
    print(f"\n{text}\n")
    for bar in verdicts:
        print(bar)
    if options.markdown:
        options.markdown.write_text(text + "\n" + "".join(f"- {bar}\n" for bar in verdicts))
    complete = options.tables == TABLES and options.rounds >= FEWEST_ROUNDS
    if not complete:
        print("(not the full comparison: these figures decide nothing)")
    return 1 if complete and not all(bar.holds for bar in verdicts) else 0


def bars(lines: dict[str, Line]) -> list[Bar]:
    """What our commands may take."""
    found = []
    for name, limit in BARS.items():
        ratio = lines[name].wall_seconds / lines[PG_DUMP].wall_seconds
        found.append(Bar(f"{name} against {PG_DUMP}", ratio, limit, at_most=True))
        peak = lines[name].peak_bytes / MIB
        found.append(Bar(f"{name}: peak memory", peak, PEAK_BAR_MIB, at_most=True, unit="MiB"))
    return found


def markdown(lines: dict[str, Line], options: argparse.Namespace) -> str:
    head = ["program", "wall s", "min–max s", f"÷ {PG_DUMP}", "client CPU s", "peak MiB"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for line in lines.values():
        rows.append([
            line.name,
            f"{line.wall_seconds:.2f}",
            f"{min(line.walls):.2f}–{max(line.walls):.2f}",
            f"{line.wall_seconds / lines[PG_DUMP].wall_seconds:.2f}",
            f"{line.cpu_seconds:.2f}",
            f"{line.peak_bytes / MIB:.0f}",
        ])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"## The catalog of {options.tables:,} tables, {options.rounds} rounds\n\n{table}\n"


if __name__ == "__main__":
    sys.exit(main())
