"""Exports one table to Parquet with a Python library: `peer.py duckdb|adbc|connectorx TABLE OUT`.

The database is in `OPSKIT_BENCH_URL` (for DuckDB, keywords); the measured time starts after the imports.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

THREADS = 2
BATCH_ROWS = 65_536


def duckdb_work(url: str, table: str, out: str):
    import duckdb
    import duckdb_extension_postgres_scanner as package

    folder = Path(package.__file__).parent
    extension = next(folder.rglob("postgres_scanner.duckdb_extension"))

    def work() -> None:
        db = duckdb.connect(config={"threads": THREADS})
        db.execute(f"load '{extension}'")
        db.execute(f"attach '{url}' as pg (type postgres, read_only)")
        db.execute(f"copy (select * from pg.{table}) to '{out}' (format parquet, compression zstd)")

    return work


def adbc_work(url: str, table: str, out: str):
    import pyarrow.parquet  # noqa: F401
    from adbc_driver_postgresql import dbapi

    def work() -> None:
        with dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(f"select * from {table}")
            _write(cursor.fetch_record_batch(), out)

    return work


def connectorx_work(url: str, table: str, out: str):
    import connectorx
    import pyarrow.parquet  # noqa: F401

    def work() -> None:
        reader = connectorx.read_sql(
            url, f"select * from {table}", return_type="arrow_stream", batch_size=BATCH_ROWS
        )
        _write(reader, out)

    return work


def _write(reader, out: str) -> None:
    import pyarrow.parquet

    options = {"compression": "zstd", "compression_level": 1}
    with pyarrow.parquet.ParquetWriter(out, reader.schema, **options) as writer:
        for batch in reader:
            writer.write_batch(batch)


WORKS = {"duckdb": duckdb_work, "adbc": adbc_work, "connectorx": connectorx_work}


def main() -> None:
    name, table, out = sys.argv[1:]
    work = WORKS[name](os.environ["OPSKIT_BENCH_URL"], table, out)
    start_cpu, began = time.process_time(), time.perf_counter()
    work()
    taken = {"wall_seconds": time.perf_counter() - began, "start_cpu_seconds": start_cpu}
    Path(os.environ["OPSKIT_BENCH_NOTE"]).write_text(json.dumps(taken))


if __name__ == "__main__":
    main()
