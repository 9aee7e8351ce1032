#!/usr/bin/env python3
"""Compares `opskit export` with other ways to get a table out of Postgres, on one scratch server.

    compare.py run   [--keep DIR] [--scale 0.01] [--rounds 7] [--opskit PATH] [--only NAME…]
    compare.py serve --keep DIR [--scale 1]      load the tables, leave the server running, print its URL
    compare.py stop  --keep DIR
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import data
import report
from measure import ChildFailed, Sample, measure
from page import write_section
from rivals import Rival, rivals
from server import Server, ServerError

ROOT = Path(__file__).resolve().parents[2]
FEWEST_ROUNDS = 7
PACKAGES = ("duckdb", "adbc-driver-postgresql", "connectorx", "pyarrow")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = arguments()
    try:
        return {"run": run, "serve": serve, "stop": stop}[options.command](options)
    except (ServerError, ChildFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 70
    except KeyboardInterrupt:
        return 130


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "serve", "stop"):
        command = commands.add_parser(name)
        command.add_argument("--keep", type=Path, required=name != "run", help="directory of the loaded server")
        command.add_argument("--pg-bin", type=Path, help="directory of initdb, pg_ctl, psql, pg_dump")
        command.add_argument("--scale", type=float, default=1.0, help="1 is 6 M and 2 M rows")
    run_options = commands.choices["run"]
    run_options.add_argument("--rounds", type=int, default=FEWEST_ROUNDS)
    run_options.add_argument("--opskit", type=Path, help="our binary (default: target/release/opskit)")
    run_options.add_argument("--only", nargs="+", metavar="NAME", help="programs whose name contains one of these")
    run_options.add_argument("--tables", nargs="+", choices=data.TABLES, default=data.TABLES)
    run_options.add_argument("--no-opskit", action="store_true", help="measure the peers alone")
    run_options.add_argument("--markdown", type=Path, help="where the tables go")
    run_options.add_argument("--json", type=Path, help="where every sample goes")
    return parser.parse_args()


def serve(options: argparse.Namespace) -> int:
    server = open_server(options.keep, options)
    server.start()
    data.load(server, options.scale)
    print(server.url)
    return 0


def stop(options: argparse.Namespace) -> int:
    Server(options.keep, pg_bin(options)).stop()
    return 0


def run(options: argparse.Namespace) -> int:
    opskit = None if options.no_opskit else our_binary(options)
    home = options.keep or Path(tempfile.mkdtemp(prefix="opskit-bench-", dir=os.environ.get("OPSKIT_BENCH_DIR", "/var/tmp")))
    server = open_server(home, options)
    started = False
    try:
        started = server.start()
        data.load(server, options.scale)
        return compare(server, opskit, options)
    finally:
        if not options.keep:
            server.remove()
        elif started:
            server.stop()


def open_server(home: Path, options: argparse.Namespace) -> Server:
    server = Server(home, pg_bin(options))
    server.create()
    return server


def compare(server: Server, opskit: Path | None, options: argparse.Namespace) -> int:
    field = [rival for rival in rivals(server, opskit) if wanted(rival, options.only)]
    expected = data.row_counts(server)
    results: dict[str, report.Lines] = {}
    samples: dict[str, dict[str, list[Sample]]] = {}
    with tempfile.TemporaryDirectory(prefix="out-", dir=server.home) as folder:
        for table in options.tables:
            course = Course(field, table, Path(folder))
            course.warm_up(expected[table])
            for number in range(options.rounds):
                course.round(number)
            samples[table] = course.samples
            results[table] = course.lines()
            print(f"\n{table}\n\n{report.table_markdown(results[table])}\n", flush=True)
    facts = circumstances(server, options.rounds, opskit)
    verdicts = report.bars(results)
    for bar in verdicts:
        print(bar)
    complete = opskit and not options.only and options.scale == 1 and options.rounds >= FEWEST_ROUNDS
    if not complete:
        print("(not the full comparison: these figures decide nothing)")
    write(options, results, samples, facts, bool(complete) and len(results) == len(data.TABLES))
    return 1 if complete and not all(bar.holds for bar in verdicts) else 0


class Course:
    """All programs on one table."""

    def __init__(self, field: list[Rival], table: str, folder: Path) -> None:
        self.field = field
        self.table = table
        self.folder = folder
        self.samples: dict[str, list[Sample]] = {rival.name: [] for rival in field}
        self.sizes: dict[str, int] = {}

    def warm_up(self, rows: int) -> None:
        """One round that is not counted; every output must hold `rows` rows."""
        for rival in self.field:
            out = self._run(rival)[1]
            found = rival.count(out)
            if found is not None and found != rows:
                raise ChildFailed(f"{rival.name} wrote {found} of {rows} rows of {self.table}")
            self.sizes[rival.name] = size(out)
            remove(out)
            kept = "nothing kept" if found is None else f"{found} rows"
            print(f"{self.table}: {rival.name}: {kept}", file=sys.stderr, flush=True)

    def round(self, number: int) -> None:
        """One counted round; the order moves by one each time."""
        shift = number % len(self.field)
        for rival in self.field[shift:] + self.field[:shift]:
            sample, out = self._run(rival)
            self.samples[rival.name].append(sample)
            remove(out)
            print(f"{self.table} {number + 1}: {rival.name}: {sample.wall_seconds:.2f} s", file=sys.stderr, flush=True)

    def lines(self) -> report.Lines:
        return {name: report.Line.of(name, runs, self.sizes[name]) for name, runs in self.samples.items()}

    def _run(self, rival: Rival) -> tuple[Sample, Path]:
        out = self.folder / "out"
        remove(out)
        os.sync()
        try:
            return measure(rival.argv(self.table, out), rival.env, self.folder / "log"), out
        except ChildFailed as error:
            raise ChildFailed(f"{rival.name}, {self.table}: {error}") from None


def wanted(rival: Rival, only: list[str] | None) -> bool:
    return not only or any(part.lower() in rival.name.lower() for part in only)


def size(out: Path) -> int:
    """Bytes of a file, or of all files below a directory."""
    if not out.exists():
        return 0
    files = [out] if out.is_file() else [path for path in out.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


def remove(out: Path) -> None:
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink(missing_ok=True)


def circumstances(server: Server, rounds: int, opskit: Path | None) -> dict:
    """What the figures depend on; names no host and no path."""
    versions = server_versions(server, opskit)
    versions |= {name: version(name) for name in PACKAGES}
    buffers = server.sql("show shared_buffers")
    return {
        "machine": machine(),
        "settings": f"fsync off, shared_buffers {buffers}, jit off, tables frozen and in memory",
        "rounds": rounds,
        "versions": versions,
        "rows": data.row_counts(server),
        "bytes": data.table_bytes(server),
    }


def server_versions(server: Server, opskit: Path | None) -> dict[str, str]:
    versions = {"PostgreSQL": server.sql("show server_version").split()[0]}
    if opskit:
        told = subprocess.run([opskit, "--version"], capture_output=True, text=True, check=False).stdout.split()
        versions["opskit"] = told[-1] if told else "unknown"
    return versions


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({processor()}), {memory:.0f} GiB memory, {platform.system()} {platform.machine()}"


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def write(options: argparse.Namespace, results: dict, samples: dict, facts: dict, complete: bool) -> None:
    """Writes the tables (by default only those of a full comparison) and, when asked, every sample."""
    markdown = options.markdown or (ROOT / "docs" / "benchmarks.md" if complete else None)
    if markdown:
        write_section(markdown, "export", report.document(results, facts))
    if options.json:
        runs = {table: {name: [asdict(one) for one in all_] for name, all_ in by.items()} for table, by in samples.items()}
        bars = [{**asdict(bar), "holds": bar.holds} for bar in report.bars(results)]
        options.json.write_text(json.dumps({"facts": facts, "samples": runs, "bars": bars}, indent=2) + "\n")


def our_binary(options: argparse.Namespace) -> Path:
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    binary = options.opskit or target / "release" / "opskit"
    if not binary.exists():
        raise ServerError(f"{binary} is missing: build it, name it with --opskit, or measure the peers with --no-opskit")
    return binary.resolve()


def pg_bin(options: argparse.Namespace) -> Path:
    """The directory of the server's programs, found the way the tests find it."""
    folder = options.pg_bin
    if not folder:
        finder = ROOT / "scripts" / "postgres.sh"
        done = subprocess.run([finder], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise ServerError("no PostgreSQL programs found; name their directory with --pg-bin")
        folder = Path(done.stdout.strip())
    lacking = [name for name in ("initdb", "pg_ctl", "psql", "pg_dump", "pg_restore") if not (folder / name).exists()]
    if lacking:
        raise ServerError(f"{folder} has no {', '.join(lacking)}; name another directory with --pg-bin")
    return folder


if __name__ == "__main__":
    sys.exit(main())
