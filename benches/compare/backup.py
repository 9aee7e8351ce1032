#!/usr/bin/env python3
"""Compares `opskit backup` and `opskit restore` with pg_dump and pg_restore, on one scratch server.

    backup.py [--keep DIR] [--scale 0.1] [--rounds 7] [--opskit PATH] [--halves backup|restore]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import report
import shop
from compare import FEWEST_ROUNDS, ROOT, machine, open_server, our_binary, remove, server_versions, size
from measure import ChildFailed, Sample, measure
from page import write_section
from report import MIB, Bar, Line, Lines
from rivals import dump_rows, parquet_rows
from server import Server, ServerError

DIRECTORY, CUSTOM, BACKUP = "pg_dump -Fd -j2 -Z0", "pg_dump -Fc", "opskit backup --jobs 2"
PG_RESTORE, RESTORE = "pg_restore -j2", "opskit restore --jobs 2"
UNCOMPARED = "opskit restore, without its comparison"
TARGET = "restored"
DIRECTORY_BAR, CUSTOM_BAR, RESTORE_BAR, PEAK_BAR_MIB = 1.0, 0.2, 0.7, 300
HALVES = ("backup", "restore")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = arguments()
    try:
        return run(options)
    except (ServerError, ChildFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 70
    except KeyboardInterrupt:
        return 130


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="directory of the loaded server")
    parser.add_argument("--pg-bin", type=Path, help="directory of initdb, pg_ctl, psql, pg_dump")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 6 M and 2 M rows")
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS)
    parser.add_argument("--opskit", type=Path, help="our binary (default: target/release/opskit)")
    parser.add_argument("--halves", nargs="+", choices=HALVES, default=HALVES)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="programs whose name contains one of these")
    parser.add_argument("--markdown", type=Path, help="where the tables go")
    parser.add_argument("--json", type=Path, help="where every sample goes")
    return parser.parse_args()


def run(options: argparse.Namespace) -> int:
    opskit = our_binary(options)
    place = os.environ.get("OPSKIT_BENCH_DIR", "/var/tmp")
    home = options.keep or Path(tempfile.mkdtemp(prefix="opskit-bench-", dir=place))
    server = open_server(home, options)
    started = False
    try:
        started = server.start()
        shop.load(server, options.scale)
        return compare(server, opskit, options)
    finally:
        if not options.keep:
            server.remove()
        elif started:
            server.stop()


def compare(server: Server, opskit: Path, options: argparse.Namespace) -> int:
    results: dict[str, Lines] = {}
    samples: dict[str, dict[str, list[Sample]]] = {}
    with tempfile.TemporaryDirectory(prefix="out-", dir=server.home) as folder:
        bench = Bench(server, opskit, Path(folder))
        bench.store()
        for half in options.halves:
            field = [program for program in bench.programs(half) if wanted(program.name, options.only)]
            samples[half] = rounds(field, options.rounds)
            if half == "restore" and bench.uncompared:
                # The round that is not counted is the first one here too.
                samples[half][UNCOMPARED] = bench.uncompared[1:]
            results[half] = {
                name: Line.of(name, runs, bench.sizes.get(name, 0)) for name, runs in samples[half].items()
            }
            print(f"\n{half}\n\n{table(half, results[half])}\n", flush=True)
        print(phases(bench.phases))
        facts = circumstances(server, options.rounds, opskit, bench.phases)
    verdicts = bars(results)
    for bar in verdicts:
        print(bar)
    whole = options.scale == 1 and options.rounds >= FEWEST_ROUNDS and not options.only
    complete = whole and set(results) == set(HALVES)
    if not complete:
        print("(not the full comparison: these figures decide nothing)")
    write(options, results, samples, facts, complete)
    return 1 if complete and not all(bar.holds for bar in verdicts) else 0


@dataclass(frozen=True)
class Program:
    """One line of a table."""

    name: str
    run: Callable[[], Sample]
    """Makes everything ready, runs it once, measured, and takes away what it left."""


class Bench:
    """The programs, and the two backups that restores start from."""

    def __init__(self, server: Server, opskit: Path, folder: Path) -> None:
        self.server = server
        self.opskit = opskit
        self.folder = folder
        self.source = server.url_of(shop.DATABASE)
        self.expected = shop.contents(server, shop.DATABASE)
        self.sizes: dict[str, int] = {}
        self.phases: list[dict[str, float]] = []
        self.uncompared: list[Sample] = []

    def store(self) -> None:
        """Makes the backups that are restored. Each must hold every row."""
        rows = sum(self.expected[name] for name in shop.TABLES)
        for name, out in ((DIRECTORY, self.dump), (BACKUP, self.repository)):
            self._measure(name, self._backup(name, out))
            found = parquet_rows(out) if name == BACKUP else dump_rows(self.server.pg_bin, out)
            if found != rows:
                raise ChildFailed(f"{name} wrote {found} of {rows} rows")
            self.sizes[name] = size(out)

    @property
    def dump(self) -> Path:
        return self.folder / "dump"

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    def programs(self, half: str) -> list[Program]:
        if half == "backup":
            names = (DIRECTORY, CUSTOM, BACKUP)
            return [Program(name, lambda name=name: self.back_up(name)) for name in names]
        return [Program(PG_RESTORE, self.pg_restore), Program(RESTORE, self.restore)]

    def back_up(self, name: str) -> Sample:
        out = self.folder / "out"
        os.sync()
        sample = self._measure(name, self._backup(name, out))
        self.sizes[name] = size(out)
        remove(out)
        return sample

    def pg_restore(self) -> Sample:
        self._empty_target()
        argv = [str(self.server.pg_bin / "pg_restore"), "-j2", "-d", self.server.url_of(TARGET), str(self.dump)]
        sample = self._measure(PG_RESTORE, argv)
        self._check(PG_RESTORE)
        return sample

    def restore(self) -> Sample:
        self._empty_target()
        told = self.folder / "told"
        place = ["--repo", str(self.repository), "--to", self.server.url_of(TARGET)]
        argv = [str(self.opskit), "--json", "restore", "latest", *place, "--jobs", "2"]
        sample = self._measure(RESTORE, argv, told)
        self._check(RESTORE)
        said = json.loads(told.read_text())
        spent = {phase["name"]: phase["elapsed_ms"] / 1000 for phase in said["phases"]}
        self.phases.append(spent)
        compared = sum(seconds for name, seconds in spent.items() if name.startswith("comparison"))
        self.uncompared.append(Sample(sample.wall_seconds - compared, sample.cpu_seconds, sample.peak_bytes))
        return sample

    def _backup(self, name: str, out: Path) -> list[str]:
        if name == BACKUP:
            return [str(self.opskit), "backup", "--db", self.source, "--repo", str(out), "--jobs", "2"]
        program, *switches = name.split()
        return [str(self.server.pg_bin / program), *switches, "-f", str(out), "-d", self.source]

    def _measure(self, name: str, argv: list[str], told: Path | None = None) -> Sample:
        try:
            sample = measure(argv, {"NO_COLOR": "1"}, self.folder / "log", told)
        except ChildFailed as error:
            raise ChildFailed(f"{name}: {error}") from None
        print(f"{name}: {sample.wall_seconds:.2f} s", file=sys.stderr, flush=True)
        return sample

    def _empty_target(self) -> None:
        shop.empty(self.server, TARGET)
        self.server.sql("checkpoint", "postgres")
        os.sync()

    def _check(self, name: str) -> None:
        found = shop.contents(self.server, TARGET)
        if found != self.expected:
            raise ChildFailed(f"{name} left {found} instead of {self.expected}")
        self.server.sql(f"drop database {TARGET} with (force)", "postgres")


def rounds(field: list[Program], count: int) -> dict[str, list[Sample]]:
    """One round that is not counted, then `count` that are; the order moves by one each time."""
    samples: dict[str, list[Sample]] = {program.name: [] for program in field}
    for number in range(-1, count):
        shift = number % len(field)
        for program in field[shift:] + field[:shift]:
            sample = program.run()
            if number >= 0:
                samples[program.name].append(sample)
    return samples


def wanted(name: str, only: list[str] | None) -> bool:
    return not only or any(part.lower() in name.lower() for part in only)


def table(half: str, lines: Lines) -> str:
    base = {"backup": BACKUP, "restore": PG_RESTORE}[half]
    return report.markdown(lines, {base: lines.get(base)})


def phases(seen: list[dict[str, float]]) -> str:
    """The medians of what a restore says that it did, one after the other."""
    counted = seen[1:]
    if not counted:
        return ""
    return ", ".join(f"{name} {median(one[name] for one in counted):.2f} s" for name in counted[0])


def bars(results: dict[str, Lines]) -> list[Bar]:
    """Every bar that what was run can decide."""
    found: list[Bar] = []
    limits = [
        ("backup", BACKUP, DIRECTORY, DIRECTORY_BAR),
        ("backup", BACKUP, CUSTOM, CUSTOM_BAR),
        ("restore", RESTORE, PG_RESTORE, RESTORE_BAR),
    ]
    for half, ours, theirs, limit in limits:
        lines = results.get(half, {})
        if ours in lines and theirs in lines:
            ratio = lines[ours].wall_seconds / lines[theirs].wall_seconds
            found.append(Bar(f"{half}: wall against {theirs}", ratio, limit, at_most=True))
    for half, ours in (("backup", BACKUP), ("restore", RESTORE)):
        if ours in results.get(half, {}):
            peak = results[half][ours].peak_bytes / MIB
            found.append(Bar(f"{half}: peak memory", peak, PEAK_BAR_MIB, at_most=True, unit="MiB"))
    return found


def circumstances(server: Server, count: int, opskit: Path, seen: list[dict[str, float]]) -> dict:
    """What the figures depend on; names no host and no path."""
    names = ("shared_buffers", "wal_level", "maintenance_work_mem")
    settings = ", ".join(f"{name} {server.sql(f'show {name}')}" for name in names)
    return {
        "machine": machine(),
        "settings": f"fsync off, {settings}, jit off",
        "rounds": count,
        "versions": server_versions(server, opskit),
        "rows": {name: int(server.sql(f"select count(*) from {name}", shop.DATABASE)) for name in shop.TABLES},
        "bytes": int(server.sql(f"select pg_database_size('{shop.DATABASE}')")),
        "phases": phases(seen),
    }


PREAMBLE = """\
## Backup and restore

One scratch server on the same machine as the clients ({settings}). The database has {megabytes} MB with its indexes:
{rows}; the first and the third have two indexes and a foreign key. Each program runs in each of {rounds} rounds, the
order moves by one each round, and one round before them is not counted. The figures are medians.

- `opskit backup` writes Parquet with zstd level 1. It waits until the disk has it, and so does pg_dump.
- `opskit restore` also compares every row and every object of the result with the backup, and that is part of its time;
  the line without that subtracts it. Each restore goes into a fresh database, ours from our backup, theirs from `-Fd`.
- *client CPU* and *peak*: the client's processes only, not the server's. Peak is the highest of all rounds (sampled).

Steps of `opskit restore`: {phases}.

Machine: {machine}. Versions: {versions}.
"""


def document(results: dict[str, Lines], facts: dict) -> str:
    """The section of this comparison in `docs/benchmarks.md`."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    rows = ", ".join(f"{name} {count:,} rows" for name, count in facts["rows"].items())
    values = {**facts, "versions": versions, "rows": rows, "megabytes": facts["bytes"] // 10**6}
    parts = [PREAMBLE.format(**values)]
    parts += [f"### {half}\n\n{table(half, lines)}\n" for half, lines in results.items()]
    parts.append("### Bars of backup and restore\n\n" + "\n".join(f"- {bar}" for bar in bars(results)) + "\n")
    return "\n".join(parts)


def write(options: argparse.Namespace, results: dict, samples: dict, facts: dict, complete: bool) -> None:
    """Writes the tables (by default only those of a full comparison) and, when asked, every sample."""
    page = options.markdown or (ROOT / "docs" / "benchmarks.md" if complete else None)
    if page:
        write_section(page, "backup", document(results, facts))
    if options.json:
        runs = {half: {name: [asdict(one) for one in all_] for name, all_ in by.items()} for half, by in samples.items()}
        verdicts = [{**asdict(bar), "holds": bar.holds} for bar in bars(results)]
        options.json.write_text(json.dumps({"facts": facts, "samples": runs, "bars": verdicts}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
