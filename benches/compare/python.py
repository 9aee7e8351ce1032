#!/usr/bin/env python3
"""Compares the Python package with other libraries that read a table into Arrow, and with the library below it.

    python.py [--keep DIR] [--scale 1] [--rounds 7] [--null PATH] [--markdown FILE]

The package must be importable (`make bench-python` sees to it). Only a whole run writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import data
from compare import FEWEST_ROUNDS, ROOT, machine, open_server
from measure import ChildFailed, Sample, measure
from page import write_section
from report import MIB, Bar, Line
from server import Server, ServerError

READING = Path(__file__).with_name("reading.py")
RUST = "Rust alone"
OURS = "opskit"
PEAK_BAR_MIB = 200.0


@dataclass(frozen=True)
class Reader:
    """Something that reads a table, with so many connections."""

    name: str
    jobs: int
    argv: Callable[[str], list[str]]
    url: str

    @property
    def title(self) -> str:
        """Its name in the table."""
        return f"{self.name}, {self.jobs} job{'s' if self.jobs > 1 else ''}"


def main() -> int:
    options = arguments()
    home = options.keep or Path(tempfile.mkdtemp(prefix="opskit-bench-", dir=os.environ.get("OPSKIT_BENCH_DIR", "/var/tmp")))
    try:
        server = open_server(home, options)
        started = server.start()
        try:
            data.load(server, options.scale)
            return compare(server, options)
        finally:
            if not options.keep:
                server.remove()
            elif started:
                server.stop()
    except (ServerError, ChildFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 70


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="directory of the loaded server")
    parser.add_argument("--pg-bin", type=Path, help="directory of initdb, pg_ctl, psql, pg_dump")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 6 M and 2 M rows")
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS)
    parser.add_argument("--null", type=Path, help="opskit-bench-null (default: in target/release)")
    parser.add_argument("--markdown", type=Path, help="where the table goes")
    return parser.parse_args()


def readers(server: Server, options: argparse.Namespace) -> list[Reader]:
    """Everybody. Those who have no number of connections have one."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    null = options.null or target / "release" / "opskit-bench-null"
    if not null.exists():
        raise ServerError(f"{null} is missing: build it, or name it with --null")

    def python(title: str, name: str, jobs: int, url: str) -> Reader:
        return Reader(title, jobs, lambda table: [sys.executable, str(READING), name, table, str(jobs)], url)

    def rust(jobs: int) -> Reader:
        return Reader(RUST, jobs, lambda table: [str(null), f"public.{table}", str(jobs)], server.url)

    both = [reader for jobs in (1, 2) for reader in (rust(jobs), python(OURS, "opskit", jobs, server.url))]
    return [
        *both,
        python("opskit into pyarrow", "opskit-pyarrow", 2, server.url),
        python("DuckDB", "duckdb", 2, server.dsn),
        python("ADBC", "adbc", 1, server.url),
        python("connector-x", "connectorx", 1, server.url_with_host),
    ]


def compare(server: Server, options: argparse.Namespace) -> int:
    field, expected = readers(server, options), data.row_counts(server)
    lines: dict[str, dict[str, Line]] = {}
    with tempfile.TemporaryDirectory(prefix="out-", dir=server.home) as folder:
        for table in data.TABLES:
            samples: dict[str, list[Sample]] = {reader.title: [] for reader in field}
            # One round warms up.
            for number in range(options.rounds + 1):
                shift = number % len(field)
                for reader in field[shift:] + field[:shift]:
                    sample = read(reader, table, expected[table], Path(folder))
                    if number:
                        samples[reader.title].append(sample)
                        print(f"{table} {number}: {reader.title}: {sample.wall_seconds:.2f} s", file=sys.stderr, flush=True)
            lines[table] = {title: Line.of(title, runs, 0) for title, runs in samples.items()}
    verdicts = [bar for table in lines for bar in bars(table, lines[table])]
    text = document(lines, verdicts, options, server)
    print(text)
    complete = options.scale == 1 and options.rounds >= FEWEST_ROUNDS
    if options.markdown or complete:
        write_section(options.markdown or ROOT / "docs" / "benchmarks.md", "python", text)
    if not complete:
        print("(not the full comparison: these figures decide nothing)")
    return 1 if complete and not all(bar.holds for bar in verdicts) else 0


def read(reader: Reader, table: str, rows: int, folder: Path) -> Sample:
    out = folder / "rows"
    sample = measure(reader.argv(table), {"OPSKIT_BENCH_URL": reader.url}, folder / "log", out)
    if (found := out.read_text().strip()) != str(rows):
        raise ChildFailed(f"{reader.title} read {found} of {rows} rows of {table}")
    return sample


def bars(table: str, lines: dict[str, Line]) -> list[Bar]:
    def wall(name: str, jobs: int) -> float:
        return lines[Reader(name, jobs, list, "").title].wall_seconds

    ours = min((wall(OURS, jobs), jobs) for jobs in (1, 2))[1]
    mine = lines[Reader(OURS, ours, list, "").title]
    found = [Bar(f"{table}: wall against Rust, {jobs} job(s)", wall(OURS, jobs) / wall(RUST, jobs), 1.10, at_most=True) for jobs in (1, 2)]
    for name, jobs in (("DuckDB", 2), ("ADBC", 1), ("connector-x", 1)):
        found.append(Bar(f"{table}: faster than {name}", wall(name, jobs) / mine.wall_seconds, 1.0, at_most=False))
    adbc = lines[Reader("ADBC", 1, list, "").title]
    found.append(Bar(f"{table}: client CPU against ADBC", mine.cpu_seconds / adbc.cpu_seconds, 0.30, at_most=True))
    found.append(Bar(f"{table}: peak memory", mine.peak_bytes / MIB, PEAK_BAR_MIB, at_most=True, unit="MiB"))
    return found


def document(lines: dict[str, dict[str, Line]], verdicts: list[Bar], options: argparse.Namespace, server: Server) -> str:
    out = [
        "## Reading into Python\n",
        f"Each program reads the whole table as Arrow batches and keeps none, {options.rounds} rounds after one that is not counted; medians. Wall time",
        "is without the start of the interpreter and imports, the peak is the process with all of that. *Rust alone* is the library",
        "into a sink that drops the batches.\n",
        f"Machine: {machine()}. PostgreSQL {server.sql('show server_version').split()[0]}.\n",
    ]
    for table, of in lines.items():
        rows = [["program", "wall s", "min–max s", "client CPU s", "peak MiB"], ["---"] + ["---:"] * 4]
        for line in sorted(of.values(), key=lambda line: line.wall_seconds):
            spread = f"{min(line.walls):.2f}–{max(line.walls):.2f}"
            rows.append([line.name, f"{line.wall_seconds:.2f}", spread, f"{line.cpu_seconds:.2f}", f"{line.peak_bytes / MIB:.0f}"])
        out.append(f"### {table}: {data.row_counts(server)[table]:,} rows\n")
        out.append("\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n")
    out += ["### Bars\n", *(f"- {bar}" for bar in verdicts)]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    sys.exit(main())
