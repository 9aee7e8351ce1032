#!/usr/bin/env python3
"""Measures 500 small migrations on an empty database, beside the library behind `sqlx migrate run`.

    migrate.py [--keep DIR] [--migrations 500] [--rounds 7] [--opskit PATH] [--sqlx PATH] [--markdown FILE]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from compare import our_binary, pg_bin
from measure import ChildFailed, Sample, measure
from report import Bar, Line
from server import Server, ServerError

FEWEST_ROUNDS = 7
MIGRATIONS = 500
OPSKIT, SQLX = "opskit migrate apply", "sqlx migrate run"
# What our time may be of sqlx's.
BAR = 1.0


def main() -> int:
    options = arguments()
    home = options.keep or Path(tempfile.mkdtemp(prefix="opskit-bench-", dir=os.environ.get("OPSKIT_BENCH_DIR", "/var/tmp")))
    try:
        opskit = our_binary(options)
        sqlx = options.sqlx or opskit.with_name("opskit-test-sqlx-migrate")
        server = Server(home, pg_bin(options))
        server.create()
        started = server.start()
        try:
            return compare(server, opskit, sqlx, options)
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
    parser.add_argument("--keep", type=Path, help="directory of the server")
    parser.add_argument("--pg-bin", type=Path, help="directory of initdb, pg_ctl, psql, pg_dump")
    parser.add_argument("--migrations", type=int, default=MIGRATIONS)
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS)
    parser.add_argument("--opskit", type=Path, help="our binary (default: target/release/opskit)")
    parser.add_argument("--sqlx", type=Path, help="the other (default: opskit-test-sqlx-migrate beside ours)")
    parser.add_argument("--markdown", type=Path, help="where the table goes")
    return parser.parse_args()


def project(folder: Path, count: int) -> Path:
    """A project with so many migrations, each a table and an index."""
    migrations = folder / "migrations"
    migrations.mkdir()
    for number in range(1, count + 1):
        text = f"create table t{number} (id bigint primary key, note text);\ncreate index on t{number} (note);\n"
        (migrations / f"{number:04}_t{number}.sql").write_text(text)
    (folder / "opskit.toml").write_text('[target.scratch]\nclass = "scratch"\nurl_env = "SCRATCH_URL"\n')
    return migrations


def compare(server: Server, opskit: Path, sqlx: Path, options: argparse.Namespace) -> int:
    samples: dict[str, list[Sample]] = {OPSKIT: [], SQLX: []}
    with tempfile.TemporaryDirectory(prefix="project-", dir=server.home) as name:
        folder = Path(name)
        migrations, log = project(folder, options.migrations), folder / "log"
        ours = [str(opskit), "--config", str(folder / "opskit.toml"), "migrate", "apply", "--no-backup", "--db", "scratch", "--dir", str(migrations)]
        for number in range(options.rounds + 1):
            names = [OPSKIT, SQLX] if number % 2 else [SQLX, OPSKIT]
            for name in names:
                server.sql("drop database if exists migrated", "postgres")
                server.sql("create database migrated", "postgres")
                url = server.url_of("migrated")
                argv = ours if name == OPSKIT else [str(sqlx), server.url_with_host_of("migrated"), str(migrations)]
                sample = measure(argv, {"SCRATCH_URL": url}, log)
                done = server.sql("select count(*) from pg_class where relname ~ '^t[0-9]+$'", "migrated").strip()
                if done != str(options.migrations):
                    raise ChildFailed(f"{name} made {done} tables of {options.migrations}")
                # The first round warms up.
                if number:
                    samples[name].append(sample)
                    print(f"{number}: {name}: {sample.wall_seconds:.2f} s", file=sys.stderr, flush=True)
    lines = {name: Line.of(name, runs, 0) for name, runs in samples.items()}
    ratio = lines[OPSKIT].wall_seconds / lines[SQLX].wall_seconds
    bar = Bar(f"{OPSKIT} against {SQLX}", ratio, BAR, at_most=True)
    text = markdown(lines, options)
    print(f"\n{text}\n\n{bar}")
    if options.markdown:
        options.markdown.write_text(f"{text}\n- {bar}\n")
    complete = options.migrations == MIGRATIONS and options.rounds >= FEWEST_ROUNDS
    if not complete:
        print("(not the full comparison: these figures decide nothing)")
    return 1 if complete and not bar.holds else 0


def markdown(lines: dict[str, Line], options: argparse.Namespace) -> str:
    rows = [["program", "wall s", "min–max s", "client CPU s"], ["---"] + ["---:"] * 3]
    for line in lines.values():
        rows.append([line.name, f"{line.wall_seconds:.2f}", f"{min(line.walls):.2f}–{max(line.walls):.2f}", f"{line.cpu_seconds:.2f}"])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"## {options.migrations} migrations on an empty database, {options.rounds} rounds\n\n{table}\n"


if __name__ == "__main__":
    sys.exit(main())
