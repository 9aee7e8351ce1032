"""The programs that are compared: how each is started, and how many rows its output holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from server import Server

PEER = Path(__file__).with_name("peer.py")
FLOOR = "psql copy binary"
OURS = {1: "opskit, 1 job", 2: "opskit, 2 jobs"}


@dataclass(frozen=True)
class Rival:
    """One line of the table."""

    name: str
    argv: Callable[[str, Path], list[str]]
    """(table, output) → the command; the output may become a file or a directory."""
    env: dict[str, str] = field(default_factory=dict)
    count: Callable[[Path], int | None] = lambda _: None
    """Rows in the output; None where nothing is kept."""


def rivals(server: Server, opskit: Path | None) -> list[Rival]:
    """Everybody, ours last; ours only when there is a binary."""
    everybody = [floor(server), *python_peers(server), *pg_dumps(server)]
    if opskit:
        everybody += [ours(server, opskit, jobs) for jobs in OURS]
    return everybody


def floor(server: Server) -> Rival:
    """The server's own binary COPY into nothing: what the wire and the server cost."""

    def argv(table: str, _: Path) -> list[str]:
        return [*server.psql(), "-c", f"copy {table} to stdout (format binary)"]

    return Rival(FLOOR, argv)


def python_peers(server: Server) -> list[Rival]:
    def peer(title: str, name: str, url: str) -> Rival:
        def argv(table: str, out: Path) -> list[str]:
            return [sys.executable, str(PEER), name, table, str(out)]

        return Rival(title, argv, {"OPSKIT_BENCH_URL": url}, parquet_rows)

    return [
        peer("DuckDB", "duckdb", server.dsn),
        peer("ADBC", "adbc", server.url),
        peer("connector-x", "connectorx", server.url_with_host),
    ]


def pg_dumps(server: Server) -> list[Rival]:
    def dump(name: str, *options: str) -> Rival:
        def argv(table: str, out: Path) -> list[str]:
            return [str(server.pg_bin / "pg_dump"), *options, "-t", table, "-f", str(out), "-d", server.url]

        return Rival(name, argv, {}, lambda out: dump_rows(server.pg_bin, out))

    return [dump("pg_dump -Fc", "-Fc"), dump("pg_dump -Fd -j2 -Z0", "-Fd", "-j2", "-Z0")]


def ours(server: Server, opskit: Path, jobs: int) -> Rival:
    def argv(table: str, out: Path) -> list[str]:
        place = ["--db", server.url, "-o", str(out)]
        return [str(opskit), "export", f"public.{table}", *place, "--jobs", str(jobs), "--compression", "zstd:1"]

    return Rival(OURS[jobs], argv, {"NO_COLOR": "1"}, parquet_rows)


def parquet_rows(out: Path) -> int:
    """Rows of one Parquet file, or of all below a directory. Run in a child to keep this process small."""
    code = (
        "import sys, pathlib, pyarrow.parquet as p\n"
        "top = pathlib.Path(sys.argv[1])\n"
        "files = [top] if top.is_file() else sorted(top.rglob('*.parquet'))\n"
        "print(sum(p.ParquetFile(f).metadata.num_rows for f in files))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def dump_rows(pg_bin: Path, out: Path) -> int:
    """Rows pg_restore reads back: the lines between `COPY …;` and `\\.`."""
    argv = [str(pg_bin / "pg_restore"), "-a", "-f", "-", str(out)]
    rows, inside = 0, False
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as restore:
        assert restore.stdout
        for line in restore.stdout:
            if inside and line == b"\\.\n":
                inside = False
            elif inside:
                rows += 1
            elif line.startswith(b"COPY "):
                inside = True
    if restore.returncode != 0:
        raise subprocess.CalledProcessError(restore.returncode, argv)
    return rows
