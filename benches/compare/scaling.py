#!/usr/bin/env python3
"""Measures backups by one process and by several that read parts of it, and what a part costs by itself.

    scaling.py [--keep DIR] [--scale 1] [--rounds 3]

The package must be importable (`scripts/python-bench.sh` sees to it). Prints the table of docs/scaling.md.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import data
import opskit
from compare import machine, open_server
from server import Server

TICKS = os.sysconf("SC_CLK_TCK")
SMALL_PARTS = 64


@dataclass(frozen=True)
class Run:
    """What one backup took."""

    wall_seconds: float
    client_cpu_seconds: float
    server_cpu_seconds: float
    wire_bytes: int
    stored_bytes: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="directory of the loaded server")
    parser.add_argument("--pg-bin", type=Path, help="directory of initdb, pg_ctl, psql, pg_dump")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 6 M and 2 M rows")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    home = options.keep or Path(tempfile.mkdtemp(prefix="opskit-bench-", dir=os.environ.get("OPSKIT_BENCH_DIR", "/var/tmp")))
    server = open_server(home, options)
    started = server.start()
    try:
        data.load(server, options.scale)
        report(server, options.rounds)
    finally:
        if not options.keep:
            server.remove()
        elif started:
            server.stop()
    return 0


def report(server: Server, rounds: int) -> None:
    found: dict[str, list[Run]] = {}
    for number in range(rounds + 1):
        for name, take in ways():
            run = measured(server, take)
            # The first round warms up.
            if number:
                found.setdefault(name, []).append(run)
                print(f"{number}: {name}: {run.wall_seconds:.2f} s", file=sys.stderr, flush=True)
    print(f"Machine: {machine()}, server and workers on it. {rounds} rounds, medians.\n")
    print("| way | wall s | client CPU s | server CPU s | wire MB | stored MB |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, runs in found.items():
        cells = [
            f"{median(run.wall_seconds for run in runs):.2f}",
            f"{median(run.client_cpu_seconds for run in runs):.2f}",
            f"{median(run.server_cpu_seconds for run in runs):.2f}",
            f"{runs[0].wire_bytes / 1e6:.0f}",
            f"{runs[0].stored_bytes / 1e6:.0f}",
        ]
        print("| " + " | ".join([name, *cells]) + " |")
    print("\n" + small_parts(server))


Take = Callable[[opskit.Database, opskit.Repository], opskit.BackupReport]


def ways() -> list[tuple[str, Take]]:
    """Each way to take the same backup."""
    alone = [(f"one process, {jobs} jobs", functools.partial(by_one, jobs=jobs)) for jobs in (1, 2)]
    return [*alone, *((f"{workers} workers", functools.partial(by_workers, workers=workers)) for workers in (1, 2, 4))]


def by_one(db: opskit.Database, repository: opskit.Repository, *, jobs: int) -> opskit.BackupReport:
    return db.backup.run(repository, jobs=jobs)


def by_workers(db: opskit.Database, repository: opskit.Repository, *, workers: int) -> opskit.BackupReport:
    run = functools.partial(opskit.run_part, to=repository.place, db=os.environ["DATABASE_URL"])
    with pool(workers) as map_, db.backup.fan_out(repository) as plan:
        return plan.commit(map_(run, plan.parts))


_POOLS: dict[int, object] = {}


@contextmanager
def pool(workers: int) -> Iterator[Callable]:
    """Processes that are there already: a cluster's workers are."""
    if workers not in _POOLS:
        _POOLS[workers] = multiprocessing.get_context("spawn").Pool(workers)
    yield functools.partial(_POOLS[workers].map, chunksize=1)


def measured(server: Server, take: Take) -> Run:
    os.environ["DATABASE_URL"] = server.url
    folder = Path(tempfile.mkdtemp(prefix="backups-", dir=server.home))
    try:
        repository = opskit.Repository(folder, create=True)
        os.sync()
        client, of_server, began = client_cpu(), server_cpu(server), time.perf_counter()
        report = take(opskit.connect(server.url), repository)
        wall = time.perf_counter() - began
        # Connections are closed by now, and the server has taken note of what they used.
        time.sleep(0.2)
        return Run(wall, client_cpu() - client, server_cpu(server) - of_server, report.wire_bytes, report.stored_bytes)
    finally:
        shutil.rmtree(folder)


def small_parts(server: Server) -> str:
    """What a part costs that holds next to nothing, and what plan and commit cost."""
    db = opskit.connect(server.url)
    folder = Path(tempfile.mkdtemp(prefix="backups-", dir=server.home))
    try:
        repository = opskit.Repository(folder, create=True)
        server.sql("create table if not exists small as select i from generate_series(1, 100) i")
        began = time.perf_counter()
        with db.backup.fan_out(repository, only=["public.small"]) as plan:
            planned = time.perf_counter()
            (part,) = plan.parts
            for _ in range(SMALL_PARTS):
                receipt = opskit.run_part(part, repository, db)
            ran = time.perf_counter()
            plan.commit([receipt])
        committed = time.perf_counter()
        each = (ran - planned) / SMALL_PARTS * 1000
        return f"plan {planned - began:.2f} s, a part of one page {each:.1f} ms, commit {committed - ran:.2f} s"
    finally:
        shutil.rmtree(folder)


def client_cpu() -> float:
    """Of this process and of all workers that there are."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    workers = [process.pid for pool in _POOLS.values() for process in pool._pool]
    return own.ru_utime + own.ru_stime + sum(cpu(pid, ended=False) for pid in workers)


def server_cpu(server: Server) -> float:
    """Of the server and of all its processes that ended."""
    return cpu(int((server.data / "postmaster.pid").read_text().split()[0]), ended=True)


def cpu(pid: int, *, ended: bool) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # utime, stime, and those of children that were waited for.
    return sum(int(field) for field in fields[11 : 15 if ended else 13]) / TICKS


if __name__ == "__main__":
    sys.exit(main())
